import { describe, expect, test } from 'vitest';
import { faultError, faultOf, OrtFailure, tidy } from '../../../../../src/pipeline/inference/native/ort-faults.ts';

const CUDA_2 =
  'CUDA failure 2: out of memory ; GPU=0 ; hostname=studio-pc ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_allocator.cc ; line=38 ; expr=cudaMalloc((void**)&p, size);';

test.each([
  [
    "Non-zero status code returned while running Conv node. Name:'Conv_3' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to allocate memory for requested buffer of size 4194304",
    'out_of_memory',
  ],
  [
    'Exception during initialization: bfc_arena.cc:999 BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 1',
    'out_of_memory',
  ],
  [
    'BFCArena::AllocateRawInternal Available memory of 1048576 is smaller than requested bytes of 4194304',
    'out_of_memory',
  ],
  [CUDA_2, 'out_of_memory'],
  ['CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0', 'out_of_memory'],
  ['CUDNN failure 4001: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED', 'out_of_memory'],
  ['CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0', 'out_of_memory'],
  ['TensorRT EP: [defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)', 'out_of_memory'],
  ['Requested amount of GPU memory could not be allocated: OutOfMemory', 'out_of_memory'],
  ['vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY', 'out_of_memory'],
  ['Exception during initialization: std::bad_alloc', 'out_of_memory'],
  ['CUDA failure 700: an illegal memory access was encountered ; GPU=0', 'device_lost'],
  ['CUDA failure 719: unspecified launch failure ; GPU=0', 'device_lost'],
  ['CUDA error cudaErrorIllegalAddress:an illegal memory access was encountered', 'device_lost'],
  ['CUDA error cudaErrorMemoryAllocation:out of memory', 'out_of_memory'],
  [
    'CUDA error cudaErrorNoKernelImageForDevice:no kernel image is available for execution on the device',
    'provider_unavailable',
  ],
  ['CUDA error 46000: nothing we know', 'device_lost'],
  ['WebGPU device lost (1): the device was destroyed', 'device_lost'],
  ['vkQueueSubmit failed with VK_ERROR_DEVICE_LOST', 'device_lost'],
  ['CUDA failure 100: no CUDA-capable device is detected', 'provider_unavailable'],
  ['CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version', 'provider_unavailable'],
  ['Failed to load shared library', 'provider_unavailable'],
  [
    'Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open',
    'provider_unavailable',
  ],
  ['WebGPU execution provider is not supported in this build.', 'provider_unavailable'],
  ['Failed to get a WebGPU adapter: No supported adapters.', 'provider_unavailable'],
  ['Exiting due to terminate flag being set to true.', 'run_terminated'],
  ['Invalid rank for input: x Got: 1 Expected: 2', 'model_unusable'],
  ['The model has a tensor of 2000 numbers in memory', 'model_unusable'],
])('%s', (message, fault) => {
  expect(faultOf(message)).toBe(fault);
});

describe('an error', () => {
  test('says what was done, what it means and what ONNX Runtime said, without the machine it happened on', () => {
    const error = faultError('Running swap in a batch of 4', new OrtFailure('Run', CUDA_2, 1)) as Error;
    expect(error).toMatchObject({ code: 'out_of_memory', status: 503 });
    expect(error.message).toMatch(
      /^Running swap in a batch of 4 failed\. There is not enough memory for it: CUDA failure 2/,
    );
    expect(error.message).not.toMatch(/studio-pc|onnxruntime_src|line=/);
    expect(tidy(CUDA_2)).toContain('cudaMalloc');
  });

  test('of ours stays as it is', () => {
    const own = new RangeError('own');
    expect(faultError('Running', own)).toBe(own);
  });

  test('by its code alone: a device that was reset', () => {
    expect(faultOf('anything', 15)).toBe('device_lost');
  });
});
