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
