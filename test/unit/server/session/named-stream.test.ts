import { expect, test } from 'vitest';
import { NamedStream } from '../../../../src/server/session/named-stream.ts';
import type { Viewer } from '../../../../src/server/session/viewer.ts';
import type { Frame } from '../../../../src/shared/types.ts';

const frame = (n: number): Frame => ({ width: 2, height: 2, data: new Uint8Array(6), receivedAtMs: n });

class Fake {
  readonly seen: number[] = [];
  isConnected = true;
  /** What else had its turn before each picture. */
  readonly turns: number[] = [];
  static turn = 0;

  sendFrame({ receivedAtMs }: Frame): void {
    this.seen.push(receivedAtMs);
    this.turns.push(Fake.turn);
  }
}

function streamFor(...viewers: Fake[]) {
  const told = { skipped: 0 };
  const stream = new NamedStream('stage', () => told.skipped++);
  for (const viewer of viewers) stream.viewers.add(viewer as unknown as Viewer);
  return { stream, told };
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test('a publisher that is faster than its viewers is not held up: they get the newest', async () => {
  const [first, second] = [new Fake(), new Fake()];
  const { stream, told } = streamFor(first, second);
  for (let n = 0; n < 100; n++) stream.show(frame(n));
  expect(first.seen).toEqual([]);
  await settled();
  expect([first.seen, second.seen, told.skipped]).toEqual([[0, 99], [0, 99], 98]);
});

test('the event loop turns between any two viewers', async () => {
  const viewers = [new Fake(), new Fake(), new Fake()];
  const { stream } = streamFor(...viewers);
  const count = (): void => {
    if (Fake.turn++ < 50) setImmediate(count);
  };
  count();
  stream.show(frame(1));
  await settled();
  expect(new Set(viewers.flatMap(({ turns }) => turns)).size).toBe(3);
});

test('an unconnected viewer costs nothing, and one that joins a still picture receives it', async () => {
  const viewer = new Fake();
  viewer.isConnected = false;
  const { stream } = streamFor(viewer);
  stream.show(frame(1));
  await settled();
  expect(viewer.seen).toEqual([]);
  viewer.isConnected = true;
  stream.repeatLast();
  await settled();
  expect(viewer.seen).toEqual([1]);
});

test('a picture is returned for reuse when the next one comes, unless it is viewed or recorded', () => {
  const { stream } = streamFor();
  const frames = [0, 1, 2, 3, 4].map(frame);
  const [alone, looked, recorded, again, last] = frames as [Frame, Frame, Frame, Frame, Frame];
  stream.show(alone);
  stream.show(looked);
  expect(stream.picture).toBe(looked);
  stream.show(recorded, true);
  stream.show(again);
  stream.repeatLast();
  expect(again.data).toHaveLength(6);
  stream.show(last);
  expect(frames.map(({ data }) => data.length)).toEqual([0, 6, 6, 0, 6]);
});

test('a picture that viewers may still receive is not returned for reuse', async () => {
  const viewer = new Fake();
  const { stream } = streamFor(viewer);
  const frames = [0, 1, 2].map(frame);
  for (const one of frames) stream.show(one);
  await settled();
  expect(frames.map(({ data }) => data.length)).toEqual([6, 6, 6]);
});
