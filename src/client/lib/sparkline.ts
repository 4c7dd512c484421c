/** A line of the last values, newest at the right, with a dashed one as their measure where there is one. */

/** How many values the width holds at least; more are drawn closer. */
const LEAST_POINTS = 60;

export class Sparkline {
  readonly #canvas: HTMLCanvasElement;
  readonly #measure: number | null;
  #values: readonly number[] = [];
  #top = 0;

  /** @param measure where the dashed line lies, which is always in sight. */
  constructor(canvas: HTMLCanvasElement, measure: number | null = null) {
    this.#canvas = canvas;
    this.#measure = measure;
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  add(value: number): void {
    this.show([...this.#values, value].slice(-LEAST_POINTS));
  }

  /** @param top the value that the whole height stands for, where it is known; higher ones stay in sight. */
  show(values: readonly number[], top = 0): void {
    this.#values = values;
    this.#top = top;
    this.#draw();
  }

  clear(): void {
    this.show([]);
  }

  #draw(): void {
    const canvas = this.#canvas;
    const context = canvas.getContext('2d');
    if (context === null) return;
    const { clientWidth, clientHeight } = canvas;
    canvas.width = clientWidth * devicePixelRatio;
    canvas.height = clientHeight * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    const top = Math.max(this.#top, 1.25 * (this.#measure ?? 0), ...this.#values) || 1;
    const y = (value: number): number => clientHeight - 1.5 - ((clientHeight - 3) * value) / top;
    const { color, borderTopColor } = getComputedStyle(canvas);
    if (this.#measure !== null) {
      context.strokeStyle = borderTopColor;
      context.setLineDash([3, 3]);
      line(context, [
        [0, y(this.#measure)],
        [clientWidth, y(this.#measure)],
      ]);
    }
    context.strokeStyle = color;
    context.setLineDash([]);
    context.lineWidth = 1.5;
    context.lineJoin = 'round';
    const points = Math.max(LEAST_POINTS, this.#values.length);
    const step = clientWidth / (points - 1);
    const first = points - this.#values.length;
    line(
      context,
      this.#values.map((value, i) => [(first + i) * step, y(value)]),
    );
  }
}

function line(context: CanvasRenderingContext2D, points: readonly (readonly [number, number])[]): void {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}
