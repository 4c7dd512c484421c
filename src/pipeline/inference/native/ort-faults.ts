/**
 * What an error of ONNX Runtime means for whoever ran the model. Its errors have no codes that tell, so the message is
 * read: by what it says, never by file or line, which change with every release.
 */

import { FaceOffError } from '../../../shared/errors.ts';

/**
 * `out_of_memory`: a smaller batch may run, and so may this one when something was freed.
 * `device_lost`: a CUDA error that stays (sticky) until the process ends; the device process has to be started again.
 * `provider_unavailable`: this machine cannot run that provider; the next one may do.
 * `run_terminated`: somebody asked for it.
 * `model_unusable`: all else.
 */
export type OrtFaultKind =
  | 'out_of_memory'
  | 'device_lost'
  | 'provider_unavailable'
  | 'run_terminated'
  | 'model_unusable';

/** CUDA errors (cudaError_t) that say that there is no usable device or driver: nothing was there to be lost. */
const NO_DEVICE = new Set([3, 34, 35, 36, 46, 100, 101, 209, 802, 803, 804]);
const NO_DEVICE_NAMES =
  /NoDevice|InsufficientDriver|InvalidDevice|InitializationError|StubLibrary|DevicesUnavailable|SystemNotReady|SystemDriverMismatch|CompatNotSupported|NoKernelImage/;
const CUDA_OUT_OF_MEMORY = 2;

const OUT_OF_MEMORY = [
  /failed to allocate memory for requested buffer/i,
  /available memory of \d+ is smaller than requested bytes/i,
  /(?<![a-z])out[ _-]?of[ _-]?(device[ _-]|host[ _-]|gpu[ _-]|video[ _-])?memory\b/i,
  /cudaErrorMemoryAllocation/,
  /CU(BLAS|DNN|SPARSE|RAND|FFT)(LT)?_\w*ALLOC(ATION)?_FAILED/,
  /\bbad_alloc\b/,
];
const DEVICE_LOST = [/\bdevice (was |is )?lost\b/i, /VK_ERROR_DEVICE_LOST/, /DXGI_ERROR_DEVICE_(REMOVED|HUNG|RESET)/];
const UNAVAILABLE = [
  /failed to load (shared )?library/i,
  /is not supported in this build/i,
  /execution provider is not (enabled|available)/i,
  /not enabled in this build/i,
  /failed to (get|request|find|create) (a |an )?(suitable )?(webgpu |gpu )?(adapter|device)/i,
];

/** OrtErrorCode ORT_DEVICE_RESET. */
const DEVICE_RESET = 15;

/** @param code OrtErrorCode, where there is one. */
export function faultOf(message: string, code = 0): OrtFaultKind {
  if (/terminate flag being set/i.test(message)) return 'run_terminated';
  if (OUT_OF_MEMORY.some((pattern) => pattern.test(message))) return 'out_of_memory';
  const cuda = /CUDA (?:failure|error):? (\d+)/i.exec(message);
  if (cuda !== null) {
    const number = Number(cuda[1]);
    if (number === CUDA_OUT_OF_MEMORY) return 'out_of_memory';
    return NO_DEVICE.has(number) ? 'provider_unavailable' : 'device_lost';
  }
  // A kernel that cannot be launched is told by name.
  const named = /CUDA (?:failure|error):? ?(cudaError\w+)/i.exec(message);
  if (named !== null) return NO_DEVICE_NAMES.test(named[1]!) ? 'provider_unavailable' : 'device_lost';
  if (code === DEVICE_RESET || DEVICE_LOST.some((pattern) => pattern.test(message))) return 'device_lost';
  if (UNAVAILABLE.some((pattern) => pattern.test(message))) return 'provider_unavailable';
  return 'model_unusable';
}

const ADVICE: Record<OrtFaultKind, string> = {
  out_of_memory: 'There is not enough memory for it',
  device_lost: 'The device failed, and stays so until the process is started again',
  provider_unavailable: 'This machine cannot run that provider; `faceoff doctor` says what is missing',
  run_terminated: 'The run was ended early',
  model_unusable: 'ONNX Runtime cannot use the model',
};

/** What is said for ONNX Runtime when it had no memory for a message: it answers as if all were well. */
export const NO_MEMORY_TO_SAY = 'out of memory: the process has none left at all';

/** What ONNX Runtime answered when a call failed. */
export class OrtFailure extends Error {
  /** The function of the C API. */
  readonly call: string;
  /** OrtErrorCode. */
  readonly code: number;

  constructor(call: string, message: string, code: number) {
    super(message);
    this.call = call;
    this.code = code;
  }
}

/**
 * @param what what was done, as the beginning of a sentence: "Running inswapper_128 in a batch of 4".
 * @param failure an OrtFailure; anything else comes back as it is.
 */
export function faultError(what: string, failure: unknown): unknown {
  if (!(failure instanceof OrtFailure)) return failure;
  const fault = faultOf(failure.message, failure.code);
  return new FaceOffError(fault, `${what} failed. ${ADVICE[fault]}: ${tidy(failure.message)}`, {
    status: fault === 'model_unusable' ? 500 : 503,
    cause: failure,
  });
}

/** The message without what only its authors read; the machine's name does not belong into a log. */
export function tidy(message: string): string {
  return message
    .replace(/\s*;?\s*hostname=\S*/g, '')
    .replace(/\s*;?\s*file=\S*/g, '')
    .replace(/\s*;?\s*line=\d+/g, '')
    .replace(/\/\S*\/(onnxruntime\/\S+?:\d+)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}
