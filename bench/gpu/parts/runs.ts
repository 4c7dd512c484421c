/** Runs of the networks: bare at growing batches, with and without CUDA graphs, in half floats, and through the device process. */

import path from 'node:path';
import { DeviceClient } from '../../../src/pipeline/device/device-client.ts';
import { messageOf } from '../../../src/shared/errors.ts';
import { ratio, spread } from '../../speed/bench-machine.ts';
import { host, load } from '../../speed/device-load.ts';
import { measureGenerator } from '../../speed/generator-cost.ts';
import { deviceSpec, type GpuContext, openNetwork, requireProvider, timesOf } from '../gpu-context.ts';
import { NETWORKS } from '../networks.ts';

const BATCHES = [1, 2, 4, 8, 16];

/** Milliseconds of a run of each network in each batch, and pictures a second. */
export async function bareRuns(context: GpuContext) {
  requireProvider(context.provider);
  const rows = [];
  for (const network of NETWORKS) {
    const beganMs = performance.now();
    const session = await openNetwork(context, network, { maxBatch: BATCHES.at(-1)! });
    const openedMs = Math.round(performance.now() - beganMs);
    for (const batch of BATCHES) {
      const ms = spread(await timesOf(() => session.run(batch), 1500 * context.share));
      rows.push({ network: network.name, batch, openedMs, ms, perSecond: Math.round((1000 * batch) / ms.p50) });
      context.note({ rows });
    }
    await session.close();
  }
  return { meanings: Object.fromEntries(NETWORKS.map(({ name, meaning }) => [name, meaning])), rows };
}

/**
 * Batch 1 in four ways, in turns: tensors in host memory (copied in each run), the same with an exhaustive choice of
 * convolutions, tensors on the card with CUDA graphs, and half floats.
 */
export async function runOptions(context: GpuContext) {
  requireProvider(context.provider);
  const ways = [
    { way: 'host tensors', settings: { cudaGraphs: false } },
    { way: 'exhaustive choice of convolutions', settings: { cudaGraphs: false, convSearch: 'exhaustive' as const } },
    { way: 'tensors on the card, CUDA graphs', settings: { cudaGraphs: true } },
    { way: 'half floats', settings: { cudaGraphs: false }, half: true },
    { way: 'half floats, CUDA graphs', settings: { cudaGraphs: true }, half: true },
  ];
  const rows = [];
  for (const network of NETWORKS) {
    const opened = [];
    for (const { way, settings, half = false } of ways) {
      if (half && network.name === 'inswapper-128') continue;
      try {
        const session = await openNetwork(context, network, { maxBatch: 1, half, settings });
        await session.run(1);
        opened.push({ way, session, times: [] as number[] });
      } catch (error) {
        rows.push({ network: network.name, way, error: messageOf(error) });
      }
    }
    for (let turn = 0; turn < 8; turn++)
      for (const { session, times } of opened)
        times.push(...(await timesOf(() => session.run(1), 100 * context.share, 50)));
    const plain = opened[0] === undefined ? 0 : spread(opened[0].times).p50;
    for (const { way, session, times } of opened) {
      const ms = spread(times);
      rows.push({ network: network.name, way, ms, overFirst: ratio(ms.p50, plain) });
      await session.close();
    }
    context.note(rows);
  }
  return rows;
}

/** Streams that ask the device process again as soon as they are answered, and the batches that it chose. */
export async function throughDevice(context: GpuContext) {
  requireProvider(context.provider);
  const inference = { provider: context.provider };
  const hosted = host(path.join(context.scratch, 'device'), 16, inference);
  try {
    const rows = [];
    for (const network of NETWORKS) {
      const spec = deviceSpec(context, network);
      for (const streams of [1, 4, 8, 16]) {
        const { perSecond, ms, waitP95Ms, meanBatch } = await load(hosted, spec, streams, 2000 * context.share);
        const limit = hosted.reports.at(-1)?.limits[network.name];
        rows.push({ network: network.name, streams, perSecond, ms, waitP95Ms, meanBatch, limit });
        context.note({ rows, steps: [...hosted.steps] });
      }
    }
    return { rows, steps: [...hosted.steps] };
  } finally {
    await hosted.close();
  }
}

/** Whole swaps of a face in 1280x720 over bare runs, both through the device process. */
export async function wholeFrames(context: GpuContext) {
  requireProvider(context.provider);
  const hosted = host(path.join(context.scratch, 'frames'), 8, { provider: context.provider });
  const client = new DeviceClient({ address: hosted.address, yieldWhile: (wait) => wait });
  try {
    const rounds = Math.max(3, Math.round(200 * context.share));
    const rows: object[] = [];
    for (const name of ['inswapper_128', 'hyperswap_1a_256', 'simswap_unofficial_512']) {
      rows.push(await measureGenerator(path.join(context.material, 'real-size'), name, rounds, client));
      context.note({ rows });
    }
    return { rows, steps: [...hosted.steps] };
  } finally {
    client.close();
    await hosted.close();
  }
}
