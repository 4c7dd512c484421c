/** The layout of planar I420 (4:2:0, 8 bits): Y, U and V one behind the other, without padding. */

/** Sizes and places of the planes of a frame. */
export interface I420Planes {
  /** Width of U and of V, half of the frame's, rounded up. */
  chromaWidth: number;
  /** Height of U and of V, half of the frame's, rounded up. */
  chromaHeight: number;
  /** Byte offset of U, which is the size of Y. */
  u: number;
  /** Byte offset of V. */
  v: number;
  /** Bytes of all three planes. */
  bytes: number;
}

/** The planes of a frame of that size, in pixels. Y begins at byte 0. */
export function planesOf({ width, height }: { width: number; height: number }): I420Planes {
  const chromaWidth = (width + 1) >> 1;
  const chromaHeight = (height + 1) >> 1;
  const luma = width * height;
  const chroma = chromaWidth * chromaHeight;
  return { chromaWidth, chromaHeight, u: luma, v: luma + chroma, bytes: luma + 2 * chroma };
}

/** R, G, B, 0..1, of Y, U and V in limited-range BT.601. */
export function rgbOf(y: number, u: number, v: number): [red: number, green: number, blue: number] {
  const luma = 1.164384 * (y - 16);
  const [b, r] = [u - 128, v - 128];
  return [toUnit(luma + 1.596027 * r), toUnit(luma - 0.391762 * b - 0.812968 * r), toUnit(luma + 2.017232 * b)];
}

/** Y, U, V, rounded, of a colour #rrggbb, in limited-range BT.601. */
export function yuvOf(colour: string): [y: number, u: number, v: number] {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255) as [
    number,
    number,
    number,
  ];
  return [
    Math.round(16 + 65.481 * r + 128.553 * g + 24.966 * b),
    Math.round(128 - 37.797 * r - 74.203 * g + 112 * b),
    Math.round(128 + 112 * r - 93.786 * g - 18.214 * b),
  ];
}

const toUnit = (value: number): number => Math.min(1, Math.max(0, value / 255));
