/** What the tests do with the real GPU providers, each in a process of its own: `node gpu.mjs NAME` prints an answer as JSON. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { defaultConfig } from '../../../src/config.ts';
import { root } from '../../../src/lib/package-root.ts';
import { openLibrary } from '../../../src/pipeline/inference/native/ffi.ts';
import { gpuVersions } from '../../../src/pipeline/inference/native/gpu-versions.ts';
import { type NativeSpec, openNative } from '../../../src/pipeline/inference/native/native-session.ts';
import { Nvml, readNvidiaDriver } from '../../../src/pipeline/inference/native/nvml.ts';
import { openApi } from '../../../src/pipeline/inference/native/ort-api.ts';
import { probeProviders } from '../../../src/pipeline/inference/native/provider-probe.ts';
import { readBack } from '../../../src/pipeline/inference/native/providers.ts';
import { gpuFolder } from '../../../src/pipeline/inference/native/runtime-paths.ts';
import { ProviderLadder, providerFor, type StepDown } from '../../../src/pipeline/inference/provider-ladder.ts';
import { TensorRTCache } from '../../../src/pipeline/inference/tensorrt-cache.ts';
import { readCatalogue } from '../../../src/pipeline/models/catalogue.ts';
import { FaceOffError } from '../../../src/shared/errors.ts';
import { cacheDir } from '../../support/cuda.ts';
import { convolutions, copies, determinants, doubling } from '../../support/graphs.ts';

const { inference } = defaultConfig();
/** A quarter of a megabyte an item. */
const WIDTH = 65_536;
const MAX_BATCH = 64;
const { bytes, ...tensors } = doubling(1, WIDTH);
const spec: NativeSpec = {
  name: 'doubling',
  model: bytes,
  ...tensors,
  maxBatch: MAX_BATCH,
  folder: gpuFolder(cacheDir),
};
const settings = { ...inference, gpuMemLimitMb: 100 };
const engine = { folder: process.env.ENGINE_FOLDER ?? '/tmp' };
const cuda = providerFor('cuda', settings, spec, null);

const codeOf = (error: unknown): string => (error instanceof FaceOffError ? error.code : String(error));
const attempt = (work: Promise<unknown>): Promise<string> => work.then(() => 'ok', codeOf);
const said = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: Error) => error.message,
  );

/** Memory of the process without what is free already and only kept by malloc, for instance what was the card's. */
function held(): number {
  globalThis.gc?.();
  openLibrary(null).func('malloc_trim', 'int', ['size_t'])(0);
  return process.memoryUsage.rss();
}

const SCRIPTS: Record<string, () => Promise<object>> = {
  async cuda() {
    const session = await openNative({ ...spec, provider: cuda, logLevel: 'verbose' });
    const ran = await attempt(session.run(2));
    await session.close();
    return { ran };
  },

  /** The stand-in of TensorRT builds no engines: what was asked for is told before it crashes. */
  async tensorrt() {
    const provider = providerFor('tensorrt', settings, spec, engine);
    await openNative({ ...spec, provider, logLevel: 'verbose' });
    return {};
  },

  /** The same with a process in between. */
  async engine() {
    const cache = process.env.ENGINE_FOLDER!;
    const file = path.join(cache, 'doubling.onnx');
    writeFileSync(file, bytes);
    const request = { name: 'doubling', ...tensors, file, sha256: 'a'.repeat(64), maxBatch: 4 };
    const folder = gpuFolder(cacheDir);
    const engines = new TensorRTCache({ cacheDir: cache, settings: { ...settings, engineTimeoutMs: 60_000 }, folder });
    const failed = await said(engines.buildEngine(request));
    return { failed, left: readdirSync(path.join(cache, 'tensorrt')), versions: gpuVersions(folder, 0) };
  },

  async options() {
    const api = openApi(gpuFolder(cacheDir));
    const provider = providerFor('tensorrt', settings, spec, engine);
    if (provider.kind !== 'tensorrt') throw new Error(provider.kind);
    return { cuda: readBack(api, 'CUDA', provider.cuda), tensorrt: readBack(api, 'TensorRT', provider.tensorrt) };
  },

  async nvml() {
    const nvml = new Nvml();
    nvml.start();
    const card = nvml.device(0);
    return {
      driver: readNvidiaDriver(),
      memory: await nvml.memoryAsync(card),
      utilisation: await nvml.utilisationAsync(card),
    };
  },

  /** What is copied really is; a model of nothing but copies shows that tensors on the card arrive and come back. */
  async graphs() {
    const copying = copies(WIDTH);
    const provider = providerFor('cuda', { ...settings, cudaGraphs: true }, copying, null);
    const { bytes: model, ...rest } = copying;
    const session = await openNative({ name: 'copies', model, ...rest, maxBatch: 4, folder: spec.folder!, provider });
    const { x } = session.inputs;
    const { y } = session.outputs;
    const right: boolean[] = [];
    for (const batch of [4, 1, 2, 4, 4, 1, 1, 4]) {
      for (let i = 0; i < x!.length; i++) x![i] = i * batch + right.length;
      y!.fill(-1);
      await session.run(batch);
      right.push(y!.every((value, i) => value === (i < batch * WIDTH ? x![i] : -1)));
    }
    await session.run(2, { shrink: true });
    await session.close();
    const ask = (name: string): number => Number(openLibrary('libcudart.so.13').func(name, 'size_t', [])());
    return { right, left: ask('standInUsed'), launches: ask('standInLaunches') };
  },

  /** A model that CUDA leaves to the CPU in part can be no graph. */
  async ungraphable() {
    const { bytes: model, ...rest } = determinants();
    const steps: StepDown[] = [];
    const wanted = { ...settings, provider: 'cuda', cudaGraphs: true } as const;
    const ladder = new ProviderLadder(wanted, probeProviders(cacheDir), (step) => steps.push(step));
    const session = await ladder.open({ name: 'determinants', model, ...rest });
    session.inputs.x!.set([1, 2, 3, 4]);
    await session.run();
    const { provider, outputs } = session;
    await session.close();
    return { provider, steps, y: Math.round(outputs.y![0]!) };
  },

  /** With a small card: too large a batch, then smaller ones. */
  async memory() {
    const session = await openNative({ ...spec, provider: cuda });
    const large = await said(session.run(MAX_BATCH));
    const codes = [await attempt(session.run(MAX_BATCH)), await attempt(session.run(2))];
    await session.close();
    return { large, codes };
  },

  async opening() {
    return { code: await attempt(openNative({ ...spec, provider: cuda })) };
  },

  /** Out of memory again and again, with a smaller batch in between. */
  async faults() {
    const session = await openNative({ ...spec, provider: cuda });
    const used = openLibrary('libcudart.so.13').func('standInUsed', 'size_t', []);
    const cycle = async (): Promise<string> => {
      const large = await attempt(session.run(MAX_BATCH));
      return `${large} ${await attempt(session.run(1, { shrink: true }))}`;
    };
    const seen = new Set<string>();
    for (let i = 0; i < 60; i++) seen.add(await cycle());
    // What grows once, such as what each thread takes at its first run, does not grow twice; what leaks does.
    const [rss, card] = [[held()], [Number(used())]];
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 500; i++) seen.add(await cycle());
      rss.push(held());
      card.push(Number(used()));
    }
    await session.close();
    return {
      seen: [...seen],
      rssGrewMb: Math.min(rss[1]! - rss[0]!, rss[2]! - rss[1]!) / 2 ** 20,
      cardGrewMb: Math.max(...card.map((bytes) => bytes - card[0]!)) / 2 ** 20,
      cardLeftMb: Number(used()) / 2 ** 20,
    };
  },

  /** Sessions opened on a card too small for them. */
  async openings() {
    const once = (): Promise<string> =>
      attempt(openNative({ ...spec, provider: cuda }).then((session) => session.close()));
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++) seen.add(await once());
    const before = held();
    for (let i = 0; i < 500; i++) seen.add(await once());
    return { seen: [...seen], rssGrewMb: (held() - before) / 2 ** 20 };
  },

  async sticky() {
    const session = await openNative({ ...spec, provider: cuda });
    process.env.STAND_IN_LAUNCH_ERROR = '700';
    const code = await attempt(session.run(1));
    delete process.env.STAND_IN_LAUNCH_ERROR;
    await attempt(session.close());
    return { code };
  },

  /** A model that comes along, on WebGPU and on the CPU. */
  async webgpu() {
    const steps: StepDown[] = [];
    const machine = probeProviders('/nowhere');
    const provider = process.env.PROVIDER === 'auto' ? 'auto' : 'webgpu';
    const ladder = new ProviderLadder({ ...inference, provider }, machine, (step) => steps.push(step));
    const catalogue = readCatalogue(path.join(root, 'models'));
    const entry = catalogue.forRole('face-detector');
    const model = { ...entry, model: catalogue.read(entry) };
    const sessions = [await ladder.open(model), await openNative(model)] as const;
    for (const session of sessions) {
      const { image } = session.inputs;
      for (let i = 0; i < image!.length; i++) image![i] = Math.sin(i / 50);
      await session.run();
    }
    const [own, cpu] = sessions.map(({ outputs }) => Object.values(outputs).flatMap((values) => [...values]));
    const difference = Math.max(...own!.map((value, i) => Math.abs(value - cpu![i]!)));
    const size = Math.max(...cpu!.map(Math.abs));
    for (const session of sessions) await session.close();
    return { provider: sessions[0].provider, steps, difference: difference / size };
  },

  /** On the CPU, with everything set that can be. */
  async trace() {
    const { bytes: model, ...rest } = doubling();
    const saveOptimised = path.join(process.env.ENGINE_FOLDER!, 'optimised.onnx');
    const config = { 'session.intra_op.allow_spinning': '0' };
    const options = { threads: 3, saveOptimised, config, logLevel: 'verbose' } as const;
    await (await openNative({ name: 'traced', model, ...rest, ...options })).close();
    return { saved: existsSync(saveOptimised) };
  },

  /** The CPU provider in a process that may take no more memory than it has. */
  async host() {
    const batch = 2048;
    const { folder: _, ...own } = { ...spec, maxBatch: batch };
    const session = await openNative(own);
    await session.run(1);
    globalThis.gc?.();
    const kilobytes = Number(/VmSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
    const limit = kilobytes * 1024 + Number(process.env.ROOM_MB) * 2 ** 20;
    const limited = spawnSync('prlimit', ['--pid', String(process.pid), `--as=${limit}`]);
    if (limited.status !== 0) throw new Error(String(limited.stderr));
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) seen.add(`${await attempt(session.run(batch))} ${await attempt(session.run(1))}`);
    const message = await said(session.run(batch));
    await session.close();
    return { seen: [...seen], message };
  },

  /** The process ends in the middle of a run. */
  async exit() {
    const { bytes: slow, ...rest } = convolutions(256, 32, 20);
    const session = await openNative({ name: 'slow', model: slow, ...rest });
    void session.run();
    setTimeout(() => process.exit(0), 20);
    return {};
  },

  async ladder() {
    const steps: StepDown[] = [];
    const machine = probeProviders(cacheDir);
    const ladder = new ProviderLadder({ ...settings, provider: 'auto' }, machine, (step) => steps.push(step));
    const providers: string[] = [];
    for (const plan of [engine, null]) {
      const session = await ladder.open({ ...spec, maxBatch: 1 }, plan);
      await session.run();
      providers.push(session.provider);
      await session.close();
    }
    return { providers, steps };
  },
};

const script = SCRIPTS[process.argv[2] ?? ''];
if (script === undefined) throw new Error(`one of ${Object.keys(SCRIPTS).join(', ')}`);
console.log(JSON.stringify(await script()));
