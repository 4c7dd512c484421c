/**
 * The GPU bench: what added models cost on a card, part by part, on a machine without Node, npm or a network
 * (bench/gpu/README.md). Each part runs in a process of its own with a time limit; its result is written before the next.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { disableTelemetry } from '../../src/lib/system/no-telemetry.ts';
import { messageOf } from '../../src/shared/errors.ts';
import { machine } from '../speed/bench-machine.ts';
import { type GpuContext, LeftOut } from './gpu-context.ts';
import { holdMemory } from './memory-hog.ts';
import { contract } from './parts/contract.ts';
import { memoryTaken, monitor, streams } from './parts/load.ts';
import { doctor, engines, python, webgpu } from './parts/provider-cost.ts';
import { bareRuns, runOptions, throughDevice, wholeFrames } from './parts/runs.ts';

/** A part, and the seconds that it may take. The limits together are under ten minutes. */
const PARTS: Record<string, { seconds: number; run: (context: GpuContext) => Promise<unknown> }> = {
  doctor: { seconds: 30, run: doctor },
  monitor: { seconds: 20, run: monitor },
  contract: { seconds: 60, run: contract },
  runs: { seconds: 60, run: bareRuns },
  python: { seconds: 45, run: python },
  options: { seconds: 50, run: runOptions },
  device: { seconds: 55, run: throughDevice },
  frames: { seconds: 30, run: wholeFrames },
  memory: { seconds: 40, run: memoryTaken },
  streams: { seconds: 125, run: streams },
  webgpu: { seconds: 20, run: webgpu },
  engines: { seconds: 60, run: engines },
};

/** Marks the line of a part's output that is its answer. */
const ANSWER = 'gpu-bench-answer ';
const PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'webgpu'] as const;

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'gpu-results' },
    material: { type: 'string', default: path.join(import.meta.dirname, '../../material') },
    provider: { type: 'string', default: 'cuda' },
    share: { type: 'string', default: '1' },
    limits: { type: 'string', default: '1' },
    parts: { type: 'string', default: Object.keys(PARTS).join(',') },
    part: { type: 'string' },
    write: { type: 'boolean', default: false },
    tiny: { type: 'boolean', default: false },
    hog: { type: 'boolean', default: false },
  },
});

function contextFor(scratch: string): GpuContext {
  const provider = PROVIDERS.find((one) => one === values.provider);
  const share = Number(values.share);
  if (provider === undefined) throw new Error(`--provider is one of ${PROVIDERS.join(', ')}`);
  if (!(share > 0 && Number(values.limits) > 0)) throw new Error('--share and --limits are numbers, more than 0');
  const note = (soFar: unknown): void => console.log(`\n${ANSWER}${JSON.stringify({ result: soFar })}`);
  return { provider, share, material: path.resolve(values.material), scratch, note };
}

/** Runs one part in this process, and writes its answer. */
async function answer(name: string): Promise<void> {
  const part = PARTS[name];
  if (part === undefined) throw new Error(`there is no part ${name}; there are ${Object.keys(PARTS).join(', ')}`);
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'faceoff-gpu-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  const said = await part.run(contextFor(scratch)).then(
    (result) => ({ result }),
    (error: unknown) => (error instanceof LeftOut ? { leftOut: error.message } : { error: messageOf(error) }),
  );
  console.log(`\n${ANSWER}${JSON.stringify(said)}`);
  process.exit(0);
}

/** Runs a part in a process of its own, which is killed with all that it started when its time is over. */
async function runPart(name: string, seconds: number, log: string): Promise<object> {
  const args = ['--part', name, '--provider', values.provider, '--share', values.share, '--material', values.material];
  const beganMs = performance.now();
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(import.meta.url), ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (text: Buffer): void => {
    said += String(text);
  };
  child.stdout!.on('data', hear);
  child.stderr!.on('data', hear);
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    process.kill(-child.pid!, 'SIGKILL');
  }, 1000 * seconds);
  const ended = await new Promise<string>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? `code ${code}`)),
  );
  clearTimeout(limit);
  appendFileSync(log, `== ${name}\n${said.slice(-20_000)}\n`);
  const line = said.split('\n').findLast((one) => one.startsWith(ANSWER));
  const took = { tookS: Math.round((performance.now() - beganMs) / 100) / 10 };
  const answered = line === undefined ? {} : (JSON.parse(line.slice(ANSWER.length)) as object);
  if (ended === 'code 0' && line !== undefined) return { ...took, ...answered };
  return { ...took, ...answered, error: isLate ? `took more than ${seconds} s` : `ended with ${ended}` };
}

async function runAll(): Promise<void> {
  mkdirSync(values.out, { recursive: true });
  contextFor('');
  const names = values.parts.split(',');
  const unknown = names.find((name) => PARTS[name] === undefined);
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}; there are ${Object.keys(PARTS).join(', ')}`);
  const log = path.join(values.out, 'gpu-bench.log');
  const parts: Record<string, object> = {};
  const head = { machine: machine(), provider: values.provider, share: Number(values.share) };
  for (const name of names) {
    const said = await runPart(name, Math.round(PARTS[name]!.seconds * Number(values.limits)), log);
    parts[name] = said;
    writeFileSync(path.join(values.out, 'gpu-bench.json'), `${JSON.stringify({ ...head, parts }, null, 1)}\n`);
    const { tookS, leftOut, error } = said as { tookS: number; leftOut?: string; error?: string };
    console.log(`${name}: ${leftOut ?? (error === undefined ? 'done' : `failed: ${error}`)} (${tookS} s)`);
  }
}

disableTelemetry();
if (values.hog) await holdMemory();
else if (values.write) {
  // The networks are made where onnx-proto is, and travel as files.
  const { writeMaterial } = await import('./material.ts');
  writeMaterial(path.resolve(values.material), values.tiny);
} else if (values.part === undefined) await runAll();
else await answer(values.part);
