/**
 * What batching in the device process brings: several streams that each ask for one picture after another, with batches
 * and without, and what a single stream loses to the extra process. The model is a few convolutions with random weights,
 * as a small generator has.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GraphBuilder } from '../../scripts/convert/graph.mjs';
import { DeviceClient } from '../../src/pipeline/device/device-client.ts';
import type { ModelSpec } from '../../src/pipeline/inference/model-device.ts';
import { openSession } from '../../src/pipeline/inference/model-session.ts';
import { readChecked } from '../../src/pipeline/models/model-store.ts';
import { ratio, type Spread, spread } from './bench-machine.ts';
import { type Hosted, host, load } from './device-load.ts';

/** Throughput and answer times of so many streams, without batches (`single`) and with. */
export interface BatchingFigures {
  streams: number;
  /** Pictures a second over all streams. */
  single: number;
  batched: number;
  timesFaster: number;
  /** From the request to the answer, in milliseconds. */
  singleMs: Spread;
  batchedMs: Spread;
  /** How long the first request of a batch waited for the others, p95. */
  waitP95Ms: number;
  /** Requests per batch. */
  meanBatch: number;
}

/** One stream at a camera's pace, with its model in two places. */
export interface LoneFigures {
  /** With the model in the thread that asks. */
  hereMs: Spread;
  /** With the model in the device process. */
  deviceMs: Spread;
  /** Device over own thread. */
  p50Ratio: number;
}

/** Side of the model's picture, in pixels. */
const SIDE = 96;
const STREAMS = [1, 2, 4, 8];

/** Takes about a minute. Starts two device processes: one that never batches and one with batches of up to eight. */
export async function benchBatching(): Promise<{ lone: LoneFigures; rows: BatchingFigures[] }> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-batching-'));
  const hosts = [1, 8].map((maxBatch) => host(path.join(folder, String(maxBatch)), maxBatch));
  try {
    const spec = model(folder);
    const [single, batched] = hosts as [Hosted, Hosted];
    const rows: BatchingFigures[] = [];
    for (const streams of STREAMS) {
      const alone = await load(single, spec, streams);
      const together = await load(batched, spec, streams);
      rows.push({
        streams,
        single: alone.perSecond,
        batched: together.perSecond,
        timesFaster: ratio(together.perSecond, alone.perSecond),
        singleMs: alone.ms,
        batchedMs: together.ms,
        waitP95Ms: together.waitP95Ms,
        meanBatch: together.meanBatch,
      });
    }
    return { lone: await lone(batched, spec), rows };
  } finally {
    for (const { close } of hosts) await close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One stream with a request every 16 ms, in the device process and in this thread alternately. */
async function lone({ address }: Hosted, spec: ModelSpec): Promise<LoneFigures> {
  const client = new DeviceClient({ address, yieldWhile: (wait) => wait });
  const away = await client.open(spec, {});
  const { bytes } = await readChecked(spec.file, spec.shape.name, null);
  const here = await openSession(spec.shape, bytes, { threads: 1 });
  const [hereMs, deviceMs]: [number[], number[]] = [[], []];
  for (let round = -10; round < 150; round++) {
    for (const [session, times] of [
      [here, hereMs],
      [away, deviceMs],
    ] as const) {
      await new Promise((resolve) => setTimeout(resolve, 16));
      const beganMs = performance.now();
      await session.run();
      if (round >= 0) times.push(performance.now() - beganMs);
    }
  }
  client.close();
  await here.close();
  const [hereSpread, deviceSpread] = [spread(hereMs), spread(deviceMs)];
  return { hereMs: hereSpread, deviceMs: deviceSpread, p50Ratio: ratio(deviceSpread.p50, hereSpread.p50) };
}

function model(folder: string): ModelSpec {
  const graph = new GraphBuilder();
  let state = 1;
  const weights = (shape: number[]): string => {
    const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
      state = (state * 48_271) % 2_147_483_647;
      return (state / 2_147_483_647 - 0.5) / 10;
    });
    return graph.floats(values, shape);
  };
  const conv = (x: string, from: number, to: number, stride = 1): string =>
    graph.node('Conv', [x, weights([to, from, 3, 3])], {
      kernel_shape: [3, 3],
      strides: [stride, stride],
      pads: [1, 1, 1, 1],
    });
  const relu = (x: string): string => graph.node('Relu', [x]);
  const target = graph.input('target', ['batch', 3, SIDE, SIDE]);
  let x = relu(conv(target, 3, 32, 2));
  x = relu(conv(x, 32, 64, 2));
  for (let block = 0; block < 4; block++) x = relu(conv(x, 64, 64));
  const wide = graph.node('Resize', [x, '', graph.floats([1, 1, 4, 4])], { mode: 'linear' });
  graph.output(conv(wide, 64, 3), 'painted', ['batch', 3, SIDE, SIDE]);
  const file = path.join(folder, 'small.onnx');
  writeFileSync(file, graph.bytes('small'));
  const tensor = (name: string) => ({ name, shape: [1, 3, SIDE, SIDE], meaning: '' });
  const shape = { name: 'small', inputs: [tensor('target')], outputs: [tensor('painted')] };
  return { file, sha256: null, shape, doubles: {}, scalars: {}, open: true };
}
