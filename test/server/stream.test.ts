import { expect, test } from 'vitest';
import type { Frame } from '../../src/pipeline/types.ts';
import { Stream } from '../../src/server/stream.ts';
import type { Viewer } from '../../src/server/viewer.ts';

const frame = (n: number): Frame => ({ width: 2, height: 2, data: new Uint8Array(6), receivedAtMs: n });

class Fake {
  readonly seen: number[] = [];
  isConnected = true;
  /** What else had its turn before each picture. */
  readonly turns: number[] = [];
  static turn = 0;

  show({ receivedAtMs }: Frame): void {
    this.seen.push(receivedAtMs);
    this.turns.push(Fake.turn);
  }
}

function streamFor(...viewers: Fake[]) {
  const told = { skipped: 0 };
  const stream = new Stream('stage', () => told.skipped++);
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

test('others have their turn between any two viewers', async () => {
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

test('one who is not connected costs nothing, and one who comes while the picture stands still sees it', async () => {
  const viewer = new Fake();
  viewer.isConnected = false;
  const { stream } = streamFor(viewer);
  stream.show(frame(1));
  await settled();
  expect(viewer.seen).toEqual([]);
  viewer.isConnected = true;
  stream.again();
  await settled();
  expect(viewer.seen).toEqual([1]);
});
