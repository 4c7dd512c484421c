/** `faceoff doctor`: reports which parts of this machine FaceOff can use, what is missing, and how to get it. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command, Option } from 'commander';
import type { Config } from '../config.ts';
import { isPackage } from '../lib/installation.ts';
import { root } from '../lib/package-root.ts';
import { ffmpegVersion } from '../media/ffmpeg.ts';
import { ContentCheck } from '../pipeline/content/content-check.ts';
import { loadProblemOf } from '../pipeline/inference/native/ffi.ts';
import { readNvidiaDriver } from '../pipeline/inference/native/nvml.ts';
import { openApi } from '../pipeline/inference/native/ort-api.ts';
import {
  type AvailableProviders,
  CUDA_LIBRARIES,
  probeProviders,
  TENSORRT_LIBRARIES,
} from '../pipeline/inference/native/provider-probe.ts';
import { PROVIDERS, type ProviderKind } from '../pipeline/inference/native/providers.ts';
import {
  GPU_COMMAND,
  GPU_RELEASE,
  hasGpuLibraries,
  runtimeFolder,
} from '../pipeline/inference/native/runtime-paths.ts';
import { vulkanDevices } from '../pipeline/inference/native/vulkan.ts';
import { ProviderLadder } from '../pipeline/inference/provider-ladder.ts';
import { readCatalogue } from '../pipeline/models/catalogue.ts';
import { encodersFor } from '../server/h264/codec/encoders.ts';
import { workingEncoder } from '../server/h264/codec/picture-encoder.ts';
import { H264_RELEASES, h264Folder, hasH264, loadH264 } from '../server/h264/h264-packages.ts';
import { H264_COMMAND } from '../server/h264/peers.ts';
import { messageOf } from '../shared/errors.ts';
import { type ConfigOptions, configOf, withConfig } from './options.ts';

/** One line of the report. */
export interface Finding {
  name: string;
  /** `wrong`: FaceOff does not work without it. `absent`: FaceOff works, without what this would add. */
  state: 'ok' | 'absent' | 'wrong';
  found: string;
  /** What to do, where something can be done. */
  advice?: string;
}

interface DoctorOptions extends ConfigOptions {
  json?: boolean;
  try?: ProviderKind;
}

/** `faceoff doctor`. */
export function doctorCommand(defaultConfig: string): Command {
  const command = new Command('doctor').description('what this machine can run, what is missing, and how to get it');
  return withConfig(command, defaultConfig)
    .option('--json', 'for programs')
    .addOption(new Option('--try <provider>', 'open and run a model on it').choices(PROVIDERS).hideHelp())
    .action(async (options: DoctorOptions) => {
      const config = configOf(options);
      const file = path.resolve(options.config);
      if (options.try !== undefined) await tryProvider(config, options.try);
      else {
        const args = ['--config', file, ...options.set.flatMap((one) => ['--set', one])];
        printFindings([...(await examine(config, args)), settings(file)], options.json === true);
      }
    });
}

function printFindings(findings: Finding[], json: boolean): void {
  if (json) {
    console.log(JSON.stringify(findings, null, 2));
    return;
  }
  process.stdout.write(textOfFindings(findings));
}

/** The findings as lines for people. */
export function textOfFindings(findings: readonly Finding[]): string {
  const marks = { ok: '✓', absent: '–', wrong: '✗' };
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings
    .flatMap(({ name, state, found, advice }) => [
      `${marks[state]} ${name.padEnd(width)}  ${found}\n`,
      ...(advice === undefined ? [] : [`${' '.repeat(width + 4)}→ ${advice}\n`]),
    ])
    .join('');
}

/**
 * Every finding about this machine, in the order in which they build on each other. Faults are findings, not thrown.
 * @param args options that a child process is started with to read the same configuration.
 */
export async function examine(config: Config, args: readonly string[] = []): Promise<Finding[]> {
  const machine = attempt(() => probeProviders(config.models.cacheDir));
  return [
    node(),
    processor(),
    simd(),
    runtime(config),
    await contentCheck(config),
    ...nvidia(config),
    vulkan(),
    await ffmpeg(),
    await h264(config),
    ...(machine instanceof Error ? [] : providers(config, machine, args)),
  ];
}

/** The configuration file, and with it the folder that relative paths start at. */
function settings(file: string): Finding {
  const found = existsSync(file) ? file : `defaults, as there is no ${file}; data is kept in that folder`;
  return { name: 'Configuration', state: 'ok', found };
}

/** Returns what was thrown: a fault of a native library is a finding and does not end the command. */
function attempt<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}

function node(): Finding {
  const found = `${process.version} on ${process.platform} ${process.arch}`;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 9)) return { name: 'Node', state: 'ok', found };
  return { name: 'Node', state: 'wrong', found, advice: 'Install Node 20.9 or later.' };
}

function processor(): Finding {
  const [first] = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const found = `${first?.model.trim() ?? 'unknown'}, ${os.availableParallelism()} cores, ${memory} GB`;
  return { name: 'Processor', state: 'ok', found };
}

/** A module whose one function uses a SIMD instruction (i32x4.splat). */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 8, 1, 6, 0, 65, 0, 253, 17, 11],
);

function simd(): Finding {
  const name = 'WebAssembly SIMD';
  if (WebAssembly.validate(SIMD)) return { name, state: 'ok', found: 'supported' };
  return { name, state: 'wrong', found: 'not supported', advice: 'The processor needs SSE4.1 or NEON.' };
}

function runtime(config: Config): Finding {
  const name = 'ONNX Runtime';
  const api = attempt(() => openApi(runtimeFolder(config.models.cacheDir)));
  if (api instanceof Error)
    return {
      name,
      state: 'wrong',
      found: api.message,
      advice: isPackage ? 'Install FaceOff again.' : 'Run `npm ci` again.',
    };
  return { name, state: 'ok', found: `${api.version}, in ${api.folder}` };
}

/** Whether what streams show can be checked. */
async function contentCheck({ safety, models }: Config): Promise<Finding> {
  const name = 'Content check';
  if (!safety.contentCheck)
    return { name, state: 'absent', found: 'switched off', advice: 'safety.contentCheck switches it on.' };
  const check = new ContentCheck(models.dir);
  try {
    await check.start();
    return { name, state: 'ok', found: `works; it hides from ${safety.contentThreshold} on` };
  } catch (error) {
    const found = `${messageOf(error)} Guarded streams are hidden, others are not checked.`;
    return { name, state: 'absent', found };
  } finally {
    await check.close();
  }
}

function nvidia(config: Config): Finding[] {
  return [
    card(),
    gpuLibraries(config),
    ...libraries('CUDA', CUDA_LIBRARIES),
    ...libraries('TensorRT', TENSORRT_LIBRARIES),
  ];
}

function card(): Finding {
  const name = 'NVIDIA card';
  const driver = attempt(readNvidiaDriver);
  if (driver instanceof Error) {
    const advice = 'Only where there is one: install the NVIDIA driver, 580 or later.';
    return { name, state: 'absent', found: `no driver answers (${driver.message})`, advice };
  }
  const cards = driver.devices.map(
    ({ name: own, capability, memoryBytes }) =>
      `${own}, ${Math.round(memoryBytes / 2 ** 30)} GB, compute capability ${capability}`,
  );
  const found = `${cards.join('; ')}; driver ${driver.version}, CUDA ${driver.cuda} at most`;
  if (Number.parseInt(driver.cuda, 10) >= 13) return { name, state: 'ok', found };
  return { name, state: 'absent', found, advice: 'CUDA 13 wants driver 580 or later.' };
}

function gpuLibraries(config: Config): Finding {
  const name = 'GPU provider libraries';
  if (hasGpuLibraries(config.models.cacheDir))
    return { name, state: 'ok', found: `of ONNX Runtime ${GPU_RELEASE}, in ${runtimeFolder(config.models.cacheDir)}` };
  const advice = `For an NVIDIA card under Linux: ${GPU_COMMAND} (179 MB).`;
  return { name, state: 'absent', found: 'not installed', advice };
}

/** What publishers and viewers in H.264 need. */
async function h264({ models: { cacheDir }, webrtc }: Config): Promise<Finding> {
  const name = 'H.264 (OBS, GStreamer)';
  if (!hasH264(cacheDir))
    return { name, state: 'absent', found: 'not installed', advice: `${H264_COMMAND} (70 MB; its codec is GPL).` };
  const { transport, codec } = H264_RELEASES;
  const found = `node-datachannel ${transport} and node-av ${codec} (FFmpeg with x264, GPL), in ${h264Folder(cacheDir)}`;
  try {
    const library = (await loadH264(cacheDir))!.codec;
    const encoder = await workingEncoder(library, encodersFor(webrtc.h264Encoder));
    return { name, state: 'ok', found: `${found}; pictures are encoded by ${encoder}` };
  } catch (error) {
    return { name, state: 'absent', found: `${found}; they do not work: ${messageOf(error)}` };
  }
}

function libraries(name: string, list: Record<string, string>): Finding[] {
  if (process.platform !== 'linux') return [];
  const missing = attempt(() => Object.keys(list).filter((library) => loadProblemOf(library) !== null));
  if (missing instanceof Error) return [];
  const title = `${name} libraries`;
  if (missing.length === 0) return [{ name: title, state: 'ok', found: Object.keys(list).join(', ') }];
  const origins = [...new Set(missing.map((library) => list[library]))].join('; ');
  return [
    { name: title, state: 'absent', found: `missing: ${missing.join(', ')}`, advice: `They come with ${origins}.` },
  ];
}

function vulkan(): Finding {
  const name = 'Vulkan (WebGPU)';
  if (process.platform === 'darwin') return { name, state: 'ok', found: 'not needed: Metal' };
  if (process.platform === 'win32') return { name, state: 'ok', found: 'not needed: Direct3D 12' };
  const devices = attempt(vulkanDevices);
  if (devices instanceof Error) {
    const advice =
      'For a card by Intel, AMD or NVIDIA: its Vulkan driver (Debian: libvulkan1 and mesa-vulkan-drivers).';
    return { name, state: 'absent', found: `not there (${devices.message})`, advice };
  }
  const found = devices.map(({ name: own, kind }) => `${own} (${kind})`).join(', ');
  return { name, state: devices.some(({ kind }) => kind !== 'cpu') ? 'ok' : 'absent', found: found || 'no device' };
}

async function ffmpeg(): Promise<Finding> {
  const name = 'ffmpeg';
  const version = await ffmpegVersion();
  if (version !== null) return { name, state: 'ok', found: version };
  const advice =
    'Recordings, `faceoff camera` and, for other video than y4m, `faceoff render` want it: apt install ffmpeg.';
  return { name, state: 'absent', found: 'not there', advice };
}

/** Runs a model on each provider that may work here, each in a process of its own: a driver that crashes ends only that. */
function providers({ inference }: Config, machine: AvailableProviders, args: readonly string[]): Finding[] {
  const steps: ProviderKind[] = PROVIDERS.filter((kind) => machine.lacks[kind] === null);
  const tried = PROVIDERS.map((kind): Finding => {
    const name = `Models on ${kind}`;
    const lack = machine.lacks[kind];
    if (lack !== null) return { name, state: 'absent', found: lack.why };
    const child = inChild(['doctor', '--try', kind, ...args]);
    if (child.status === 0) return { name, state: 'ok', found: child.stdout.trim() };
    steps.splice(steps.indexOf(kind), 1);
    const why = child.signal === null ? lastLine(child.stderr) : `it crashed (${child.signal})`;
    return { name, state: kind === 'cpu' ? 'wrong' : 'absent', found: why };
  });
  const wanted = inference.provider === 'auto' ? steps[0] : inference.provider;
  const summary: Finding =
    wanted !== undefined && steps.includes(wanted)
      ? { name: 'Added models run on', state: 'ok', found: wanted }
      : {
          name: 'Added models run on',
          state: 'absent',
          found: `${steps[0] ?? 'nothing'}, not on ${wanted} as inference.provider says`,
        };
  return [...tried, summary];
}

const TRY_MS = 120_000;
const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

/** Runs `faceoff` with a temporary folder that is removed afterwards, however the child ends. */
function inChild(args: readonly string[]): {
  status: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
} {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-doctor-'));
  try {
    return spawnSync(process.execPath, [path.join(root, 'dist/main.js'), ...args], {
      encoding: 'utf8',
      timeout: TRY_MS,
      env: { ...process.env, TMPDIR: folder },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Opens and runs the smallest shipped model on that provider. @throws where another provider would have to serve. */
async function tryProvider(config: Config, kind: ProviderKind): Promise<void> {
  const machine = probeProviders(config.models.cacheDir);
  const catalogue = readCatalogue(config.models.dir);
  const entry = catalogue.forRole('face-detector');
  const whys: string[] = [];
  const ladder = new ProviderLadder({ ...config.inference, provider: kind }, machine, ({ why }) => whys.push(why));
  const beganMs = performance.now();
  const engine = { folder: os.tmpdir() };
  const session = await ladder.open({ ...entry, model: catalogue.read(entry) }, kind === 'tensorrt' ? engine : null);
  if (session.provider !== kind) throw new Error(whys.join('; '));
  await session.run();
  const firstMs = performance.now() - beganMs;
  const runMs = performance.now();
  await session.run();
  console.log(
    `works; ${entry.name} takes ${(performance.now() - runMs).toFixed(1)} ms, the first time ${firstMs.toFixed(0)} ms`,
  );
  await session.close();
}
