/**
 * Builds a TensorRT engine or an optimised model in a child process, which may take minutes, hang or crash without
 * harm.
 */

import { fork } from 'node:child_process';
import path from 'node:path';
import { root } from '../../lib/package-root.ts';
import { lower } from '../../lib/priority.ts';
import { FaceOffError, fromWire, messageOf, type WireError } from '../../shared/errors.ts';
import type { NativeSpec } from './native/native-session.ts';
import type { InferenceSettings } from './provider-ladder.ts';

/** A model as it is to be built and run. */
export interface EngineRequest extends Pick<NativeSpec, 'name' | 'inputs' | 'outputs' | 'maxBatch' | 'doubles'> {
  /** The ONNX file. */
  file: string;
  /** Digest of that file. */
  sha256: string;
}

/** One build; sent to the child process as a message. */
export interface BuildJob {
  kind: 'tensorrt' | 'optimised';
  request: EngineRequest;
  settings: InferenceSettings;
  /** Folder of the ONNX Runtime library. */
  folder: string;
  /** Where the result goes: an empty folder for an engine, the file for an optimised model. */
  into: string;
  /** Longest time of one attempt. */
  timeoutMs: number;
}

/** Progress of a build, reported once a second. */
export interface BuildProgress {
  /** From 1. */
  attempt: number;
  /** Since the attempt began; builders report nothing else. */
  elapsedMs: number;
}

/** The child's single answer. */
export type BuildAnswer = { error: WireError | null };

const ATTEMPTS = 2;
const PROGRESS_MS = 1000;
/** Errors that another attempt would repeat. */
const FINAL = new Set(['model_unusable', 'provider_unavailable', 'runtime_missing', 'runtime_differs']);

/**
 * Builds, with a second attempt after a failure. @throws FaceOffError `build_failed` with the last attempt's cause.
 */
export async function buildInChild(job: BuildJob, onProgress?: (progress: BuildProgress) => void): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await attemptBuild(job, (elapsedMs) => onProgress?.({ attempt, elapsedMs }));
      return;
    } catch (cause) {
      const final = cause instanceof FaceOffError && FINAL.has(cause.code);
      if (!final && attempt < ATTEMPTS) continue;
      const what = job.kind === 'tensorrt' ? 'The TensorRT engine' : 'The optimised model';
      const why = messageOf(cause);
      throw new FaceOffError('build_failed', `${what} of ${job.request.name} could not be built: ${why}`, { cause });
    }
  }
}

/** One attempt. The child also ends with this process, as its channel closes. */
function attemptBuild(job: BuildJob, onElapsed: (ms: number) => void): Promise<void> {
  const child = fork(path.join(root, 'dist/pipeline/builder.js'), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  lower(child.pid);
  const beganMs = performance.now();
  let answer: BuildAnswer | null = null;
  let timedOut = false;
  let output = '';
  const progressTimer = setInterval(() => onElapsed(performance.now() - beganMs), PROGRESS_MS);
  const limit = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, job.timeoutMs);
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-KEPT_CHARACTERS);
  });
  child.on('message', (message: BuildAnswer) => {
    answer = message;
  });
  return new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (timedOut) reject(new Error(`it took longer than ${job.timeoutMs} ms (inference.engineTimeoutMs)`));
      else if (answer?.error != null) reject(fromWire(answer.error));
      else if (code === 0 && answer !== null) resolve();
      else reject(new Error(`the builder crashed (${signal ?? `exit code ${code}`})${lastLine(output)}`));
    });
    // Writing to a child that died at once fails; its `close` event carries the cause.
    child.send(job, () => undefined);
  }).finally(() => {
    clearInterval(progressTimer);
    clearTimeout(limit);
  });
}

const KEPT_CHARACTERS = 4000;

function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line === '' ? '' : `: ${line}`;
}
