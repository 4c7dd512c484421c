/** A line graph of the last values. */

/** The width holds at least so many values; more are drawn closer together. */
const LEAST_POINTS = 60;

/** Draws values on a canvas, the newest at the right, in the canvas's CSS colour; redraws when the canvas is resized. */
export class Sparkline {
  readonly #canvas: HTMLCanvasElement;
  readonly #reference: number | null;
  #values: readonly number[] = [];
  #top = 0;

  /** @param reference value of a dashed line, which is always visible; null for none. */
  constructor(canvas: HTMLCanvasElement, reference: number | null = null) {
    this.#canvas = canvas;
    this.#reference = reference;
    new ResizeObserver(() => this.#draw()).observe(canvas);
  }

  /** Draws one value more. */
  add(value: number): void {
    this.show([...this.#values, value].slice(-LEAST_POINTS));
  }

  /** Draws these values. @param top the value at full height; higher values still fit. 0 scales to the values. */
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
    const top = Math.max(this.#top, 1.25 * (this.#reference ?? 0), ...this.#values) || 1;
    const y = (value: number): number => clientHeight - 1.5 - ((clientHeight - 3) * value) / top;
    const { color, borderTopColor } = getComputedStyle(canvas);
    if (this.#reference !== null) {
      context.strokeStyle = borderTopColor;
      context.setLineDash([3, 3]);
      line(context, [
        [0, y(this.#reference)],
        [clientWidth, y(this.#reference)],
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
