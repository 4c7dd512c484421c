/** A line of the last minute, with the time a frame may take at 30 a second as its measure. */

const POINTS = 60;
const MEASURE_MS = 1000 / 30;

export class Sparkline {
  readonly #canvas: HTMLCanvasElement;
  #values: number[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  add(value: number): void {
    this.#values = [...this.#values, value].slice(-POINTS);
    this.#draw();
  }

  clear(): void {
    this.#values = [];
    this.#draw();
  }

  #draw(): void {
    const canvas = this.#canvas;
    const context = canvas.getContext('2d');
    if (context === null) return;
    const { clientWidth, clientHeight } = canvas;
    canvas.width = clientWidth * devicePixelRatio;
    canvas.height = clientHeight * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    const top = Math.max(1.25 * MEASURE_MS, ...this.#values);
    const y = (ms: number): number => clientHeight - 1.5 - ((clientHeight - 3) * ms) / top;
    const { color, borderTopColor } = getComputedStyle(canvas);
    context.strokeStyle = borderTopColor;
    context.setLineDash([3, 3]);
    line(context, [
      [0, y(MEASURE_MS)],
      [clientWidth, y(MEASURE_MS)],
    ]);
    context.strokeStyle = color;
    context.setLineDash([]);
    context.lineWidth = 1.5;
    context.lineJoin = 'round';
    const step = clientWidth / (POINTS - 1);
    const first = POINTS - this.#values.length;
    line(
      context,
      this.#values.map((ms, i) => [(first + i) * step, y(ms)]),
    );
  }
}

function line(context: CanvasRenderingContext2D, points: readonly (readonly [number, number])[]): void {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}
