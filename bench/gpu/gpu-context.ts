/** What every part of the GPU bench works with. */

import path from 'node:path';
import { defaultConfig } from '../../src/config.ts';
import { root } from '../../src/lib/package-root.ts';
import type { ModelSpec } from '../../src/pipeline/inference/model-device.ts';
import { type NativeSpec, openNative } from '../../src/pipeline/inference/native/native-session.ts';
import { Nvml } from '../../src/pipeline/inference/native/nvml.ts';
import { probeProviders } from '../../src/pipeline/inference/native/provider-probe.ts';
import type { ProviderKind } from '../../src/pipeline/inference/native/providers.ts';
import { type InferenceSettings, providerFor } from '../../src/pipeline/inference/provider-ladder.ts';
import { type BenchNetwork, networkFile } from './networks.ts';

/** Options of the command line, as a part gets them. */
export interface GpuContext {
  /** Provider that is measured. */
  provider: ProviderKind;
  /** Measurements take so much of their usual time: 1 on a card, less to try the bench. */
  share: number;
  /** Folder of its networks and stand-ins, written by `--write`. */
  material: string;
  /** Folder for what it writes meanwhile. */
  scratch: string;
  /** Keeps what was measured so far, for a part whose time runs out. */
  note(soFar: unknown): void;
}

/** Why a part was not run; it is no failure. */
export class LeftOut extends Error {}

/** Folder of the GPU provider libraries' parent: the cache of this program. */
export const CACHE_DIR = path.join(root, 'cache');

/** @throws LeftOut where the provider cannot be used here. */
export function requireProvider(kind: ProviderKind): void {
  const lack = probeProviders(CACHE_DIR).lacks[kind];
  if (lack !== null) throw new LeftOut(`${kind} cannot be used here: ${lack.why}`);
  if (kind === 'cpu' || kind === 'webgpu') return;
  if (cards() === 0) throw new LeftOut('no card');
}

/** Number of NVIDIA cards; 0 where there is no driver. */
export function cards(): number {
  try {
    const nvml = new Nvml();
    nvml.start();
    return nvml.count();
  } catch {
    return 0;
  }
}

/** A network as the device process opens it. */
export function deviceSpec({ material }: GpuContext, { name, inputs, outputs }: BenchNetwork): ModelSpec {
  const tensors = (list: BenchNetwork['inputs']) =>
    list.map(({ name: one, shape }) => ({ name: one, shape: [...shape], meaning: '' }));
  const shape = { name, inputs: tensors(inputs), outputs: tensors(outputs) };
  return { file: networkFile(material, name), sha256: null, shape, doubles: {}, scalars: {}, open: true };
}

/** How a network is opened for a measurement. */
export interface NetworkOpening {
  maxBatch: number;
  half?: boolean;
  settings?: Partial<InferenceSettings>;
}

/** Opens a network on the provider that is measured, in this process. */
export async function openNetwork(context: GpuContext, network: BenchNetwork, opening: NetworkOpening) {
  const { maxBatch, half = false, settings = {} } = opening;
  const { name, inputs, outputs } = network;
  const spec: NativeSpec = { name, model: networkFile(context.material, name, half), inputs, outputs, maxBatch };
  const all = { ...defaultConfig().inference, ...settings };
  const provider = providerFor(context.provider, all, spec, null);
  const session = await openNative({ ...spec, folder: probeProviders(CACHE_DIR).folder, provider });
  for (const tensor of Object.values(session.inputs)) for (let i = 0; i < tensor.length; i++) tensor[i] = (i % 97) / 97;
  return session;
}

/** Milliseconds of each run, for so long or so often, after three that are not counted. */
export async function timesOf(run: () => Promise<void>, forMs: number, most = 400): Promise<number[]> {
  for (let i = 0; i < 3; i++) await run();
  const times: number[] = [];
  const untilMs = performance.now() + forMs;
  while (times.length < 3 || (performance.now() < untilMs && times.length < most)) {
    const beganMs = performance.now();
    await run();
    times.push(performance.now() - beganMs);
  }
  return times;
}
