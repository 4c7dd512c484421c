/**
 * Classifies errors of ONNX Runtime. Its error codes do not tell the cases apart, so the message is matched: by its
 * wording, never by file or line, which change with every release.
 */

import { FaceOffError } from '../../../shared/errors.ts';

/**
 * What an error means for the caller.
 * `out_of_memory`: a smaller batch may run, and so may this one once memory is freed.
 * `device_lost`: a sticky CUDA error, which lasts until the process ends; the device process has to be restarted.
 * `provider_unavailable`: this machine cannot run that provider; the next one may work.
 * `run_terminated`: the run was ended by `terminate`.
 * `model_unusable`: any other error.
 */
export type OrtFaultKind =
  | 'out_of_memory'
  | 'device_lost'
  | 'provider_unavailable'
  | 'run_terminated'
  | 'model_unusable';

/** CUDA errors (cudaError_t) that mean that there is no usable device or driver, so that none was lost. */
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

/** The kind of an error. @param message ONNX Runtime's own. @param code OrtErrorCode, where there is one. */
export function faultOf(message: string, code = 0): OrtFaultKind {
  if (/terminate flag being set/i.test(message)) return 'run_terminated';
  if (OUT_OF_MEMORY.some((pattern) => pattern.test(message))) return 'out_of_memory';
  const cuda = /CUDA (?:failure|error):? (\d+)/i.exec(message);
  if (cuda !== null) {
    const number = Number(cuda[1]);
    if (number === CUDA_OUT_OF_MEMORY) return 'out_of_memory';
    return NO_DEVICE.has(number) ? 'provider_unavailable' : 'device_lost';
  }
  // A kernel that cannot be launched is reported by the name of the error.
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

/** Stands for the message when ONNX Runtime has no memory to allocate one, and therefore reports success. */
export const NO_MEMORY_TO_SAY = 'out of memory: the process has none left at all';

/** A failed call of the C API, with ONNX Runtime's own message. */
export class OrtFailure extends Error {
  /** Name of the function of the C API. */
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
 * Turns an OrtFailure into a FaceOffError whose code is its OrtFaultKind; status 500 for `model_unusable`, else 503.
 * @param what the action, as the beginning of a sentence: "Running inswapper_128 in a batch of 4".
 * @param failure an OrtFailure; anything else is returned as it is.
 */
export function faultError(what: string, failure: unknown): unknown {
  if (!(failure instanceof OrtFailure)) return failure;
  const fault = faultOf(failure.message, failure.code);
  return new FaceOffError(fault, `${what} failed. ${ADVICE[fault]}: ${tidy(failure.message)}`, {
    cause: failure,
  });
}

/** The message without source locations and without the machine's name, which does not belong in a log. */
export function tidy(message: string): string {
  return message
    .replace(/\s*;?\s*hostname=\S*/g, '')
    .replace(/\s*;?\s*file=\S*/g, '')
    .replace(/\s*;?\s*line=\d+/g, '')
    .replace(/\/\S*\/(onnxruntime\/\S+?:\d+)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}
