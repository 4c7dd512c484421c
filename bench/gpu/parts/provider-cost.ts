/** What this machine has, TensorRT's engines, WebGPU, and the same networks under Python. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { defaultConfig } from '../../../src/config.ts';
import { root } from '../../../src/lib/package-root.ts';
import { openNative } from '../../../src/pipeline/inference/native/native-session.ts';
import { probeProviders } from '../../../src/pipeline/inference/native/provider-probe.ts';
import { providerFor } from '../../../src/pipeline/inference/provider-ladder.ts';
import { TensorRTCache } from '../../../src/pipeline/inference/tensorrt-cache.ts';
import { spread } from '../../speed/bench-machine.ts';
import { CACHE_DIR, type GpuContext, LeftOut, openNetwork, requireProvider, timesOf } from '../gpu-context.ts';
import { NETWORKS, networkFile } from '../networks.ts';

/** `faceoff doctor`, and the machine. */
export async function doctor() {
  const run = spawnSync(process.execPath, [path.join(root, 'dist/main.js'), 'doctor'], { encoding: 'utf8' });
  const lacks = Object.entries(probeProviders(CACHE_DIR).lacks).map(([kind, lack]) => [
    kind,
    lack?.why ?? 'can be tried',
  ]);
  return {
    cpu: os.cpus()[0]?.model.trim(),
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    providers: Object.fromEntries(lacks),
    code: run.status,
    said: `${run.stdout}${run.stderr}`.trim().split('\n'),
  };
}

/** TensorRT: how long an engine takes to build, to load again, whether another setting asks for another engine, and its runs. */
export async function engines(context: GpuContext) {
  requireProvider('tensorrt');
  const { folder } = probeProviders(CACHE_DIR);
  const rows = [];
  for (const precision of ['fp16', 'fp32'] as const) {
    for (const network of NETWORKS.slice(0, 2)) {
      const settings = { ...defaultConfig().inference, precision };
      const cacheDir = path.join(context.scratch, 'engines');
      const cache = new TensorRTCache({ cacheDir, settings, folder });
      const file = networkFile(context.material, network.name);
      const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
      const request = {
        name: network.name,
        inputs: network.inputs,
        outputs: network.outputs,
        file,
        sha256,
        maxBatch: 8,
      };
      const beganMs = performance.now();
      const plan = await cache.buildEngine(request);
      const builtMs = performance.now() - beganMs;
      const provider = providerFor('tensorrt', settings, request, plan);
      const { name, inputs, outputs } = network;
      const openedAtMs = performance.now();
      const session = await openNative({ name, inputs, outputs, model: file, maxBatch: 8, folder, provider });
      await session.run(1);
      const secondStartMs = performance.now() - openedAtMs;
      const runs: Record<number, object> = {};
      for (const batch of [1, 8]) runs[batch] = spread(await timesOf(() => session.run(batch), 1000 * context.share));
      await session.close();
      const other = new TensorRTCache({
        cacheDir,
        settings: { ...settings, workspaceMb: settings.workspaceMb + 1 },
        folder,
      });
      const isFoundByOther = (await other.findEngine(request)) !== null;
      rows.push({ network: name, precision, builtMs, secondStartMs, isFoundByOtherSettings: isFoundByOther, runs });
      context.note(rows);
    }
  }
  return rows;
}

/** WebGPU, through Vulkan here: its runs of the first two networks. */
export async function webgpu(context: GpuContext) {
  requireProvider('webgpu');
  const rows = [];
  for (const network of NETWORKS.slice(0, 2)) {
    const beganMs = performance.now();
    const session = await openNetwork({ ...context, provider: 'webgpu' }, network, { maxBatch: 1 });
    await session.run(1);
    const firstMs = performance.now() - beganMs;
    rows.push({
      network: network.name,
      firstMs,
      ms: spread(await timesOf(() => session.run(1), 3000 * context.share)),
    });
    context.note(rows);
    await session.close();
  }
  return rows;
}

/** The same files in Python's onnxruntime, where there is one. */
export async function python(context: GpuContext) {
  const script = path.join(root, 'bench/gpu/reference.py');
  const files = NETWORKS.map(({ name }) => networkFile(context.material, name));
  const run = spawnSync('python3', [script, String(context.share), ...files], { encoding: 'utf8' });
  if (run.error !== undefined) throw new LeftOut('there is no python3');
  if (run.status === 3) throw new LeftOut(run.stderr.trim());
  if (run.status !== 0) throw new Error(run.stderr.trim().split('\n').at(-1));
  return JSON.parse(run.stdout) as object;
}
