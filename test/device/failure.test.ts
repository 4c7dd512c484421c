/** ONNX Runtime's messages, as they were seen. */

import { expect, test } from 'vitest';
import { failureOf } from '../../src/pipeline/models/failure.ts';

test.each([
  [
    'Exception during initialization: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:359 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 4194304',
    'out_of_memory',
  ],
  ['BFCArena::AllocateRawInternal Available memory of 0 is smaller than requested bytes of 33554432', 'out_of_memory'],
  ['CUDA failure 2: out of memory ; GPU=0 ; hostname=box ; file=cuda_call.cc ; line=121', 'out_of_memory'],
  ['CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0', 'out_of_memory'],
  ['CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0', 'out_of_memory'],
  ['std::bad_alloc', 'out_of_memory'],
  ['CUDA failure 700: an illegal memory access was encountered ; GPU=0', 'device_lost'],
  ['CUDA failure 719: unspecified launch failure ; GPU=0', 'device_lost'],
  ['Got invalid dimensions for input: target for the following indices', 'model_failed'],
  ['Load model failed: Protobuf parsing failed.', 'model_failed'],
])('%s', (message, failure) => {
  expect(failureOf(message)).toBe(failure);
});
