import { expect, test } from 'vitest';
import { upright } from '../../../../src/server/webrtc/upright.ts';

/** 3 x 2: the luma numbered as it is read, the 2 x 1 chroma planes likewise. */
const lying = () => ({
  width: 3,
  height: 2,
  receivedAtMs: 7,
  data: Uint8Array.from([1, 2, 3, 4, 5, 6, 10, 11, 20, 21]),
});

test.each([
  [0, 3, 2, [1, 2, 3, 4, 5, 6], [10, 11], [20, 21]],
  [90, 2, 3, [4, 1, 5, 2, 6, 3], [10, 11], [20, 21]],
  [180, 3, 2, [6, 5, 4, 3, 2, 1], [11, 10], [21, 20]],
  [270, 2, 3, [3, 6, 2, 5, 1, 4], [11, 10], [21, 20]],
])('a picture with an odd side, turned by %i degrees', (rotation, width, height, y, u, v) => {
  const turned = upright(lying(), rotation);
  expect([turned.width, turned.height, turned.receivedAtMs]).toEqual([width, height, 7]);
  expect([...turned.data]).toEqual([...y, ...u, ...v]);
});
