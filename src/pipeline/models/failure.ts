/** What ONNX Runtime's messages mean. It throws plain errors without a code, so they are told by their words. */

import { FaceOffError } from '../../errors.ts';

/** Memory ran out, and smaller runs may still go well. Files and lines in the messages change from version to version. */
const OUT_OF_MEMORY = [
  /failed to allocate memory for requested buffer/i,
  /available memory of \d+ is smaller than requested bytes/i,
  /CUDA failure 2\b/,
  /out of memory/i,
  /(CUBLAS|CUDNN|CURAND)_STATUS_ALLOC_FAILED/,
  /std::bad_alloc|bad allocation/i,
];

/** After any other CUDA error the process's context is spoilt for good: only a new process helps. */
const DEVICE_LOST = [/CUDA failure \d+/, /CUDA error/i, /cudaError/, /device (was )?lost/i];

export type Failure = 'out_of_memory' | 'device_lost' | 'model_failed';

/** @param message what was thrown by a run or while a session was opened. */
export function failureOf(message: string): Failure {
  if (OUT_OF_MEMORY.some((pattern) => pattern.test(message))) return 'out_of_memory';
  return DEVICE_LOST.some((pattern) => pattern.test(message)) ? 'device_lost' : 'model_failed';
}

export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof FaceOffError && error.code === 'out_of_memory';

/** @param otherwise the code for what is neither memory nor a lost device. */
export function failed(name: string, cause: unknown, otherwise = 'model_failed'): FaceOffError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const failure = failureOf(why);
  const sentence = {
    out_of_memory: `There is not enough memory for the model ${name}`,
    device_lost: `The device that runs the model ${name} was lost`,
    model_failed: `ONNX Runtime cannot use the model ${name}`,
  }[failure];
  return new FaceOffError(failure === 'model_failed' ? otherwise : failure, `${sentence}: ${why}`, { cause });
}
