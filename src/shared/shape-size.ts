/** Number of elements of a tensor: the product of its shape; 1 for a scalar (no dimensions). */
export function shapeSize(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}
