/**
 * The functions of ONNX Runtime's C API that FaceOff calls: their indices in the table `OrtApi` and their parameters.
 *
 * Indices are counted from 0 in `struct OrtApi` of onnxruntime_c_api.h, ORT_API_VERSION 29 (ONNX Runtime 1.29.0, MIT).
 * The header guarantees that the table only grows at its end. The tests of this folder and test/media/gpu call every
 * entry.
 */

/** ORT_API_VERSION of the table. */
export const API_VERSION = 29;
/** Prefix of the library's version: the table of another release is refused. */
export const API_RELEASE = '1.29.';

const PTR = 'void *';
const TEXT = 'str';
/** ORTCHAR_T: paths are wide on Windows. */
const PATH = process.platform === 'win32' ? 'str16' : 'str';

type Row = readonly [index: number, ...parameters: string[]];

/** Functions that return an OrtStatus, which is null on success. */
export const CALLS = {
  CreateEnv: [3, 'int', TEXT, PTR],
  CreateSession: [7, PTR, PATH, PTR, PTR],
  CreateSessionFromArray: [8, PTR, PTR, 'size_t', PTR, PTR],
  Run: [9, PTR, PTR, PTR, PTR, 'size_t', PTR, 'size_t', PTR],
  CreateSessionOptions: [10, PTR],
  SetOptimizedModelFilePath: [11, PTR, PATH],
  SetSessionExecutionMode: [13, PTR, 'int'],
  SetSessionLogSeverityLevel: [22, PTR, 'int'],
  SetSessionGraphOptimizationLevel: [23, PTR, 'int'],
  SetIntraOpNumThreads: [24, PTR, 'int'],
  SetInterOpNumThreads: [25, PTR, 'int'],
  SessionGetInputCount: [30, PTR, PTR],
  SessionGetOutputCount: [31, PTR, PTR],
  SessionGetInputTypeInfo: [33, PTR, 'size_t', PTR],
  SessionGetOutputTypeInfo: [34, PTR, 'size_t', PTR],
  SessionGetInputName: [36, PTR, 'size_t', PTR, PTR],
  SessionGetOutputName: [37, PTR, 'size_t', PTR, PTR],
  CreateRunOptions: [39, PTR],
  RunOptionsSetTerminate: [46, PTR],
  RunOptionsUnsetTerminate: [47, PTR],
  CreateTensorAsOrtValue: [48, PTR, PTR, 'size_t', 'int', PTR],
  CreateTensorWithDataAsOrtValue: [49, PTR, PTR, 'size_t', PTR, 'size_t', 'int', PTR],
  GetTensorMutableData: [51, PTR, PTR],
  CastTypeInfoToTensorInfo: [55, PTR, PTR],
  GetTensorElementType: [60, PTR, PTR],
  CreateMemoryInfo: [68, TEXT, 'int', 'int', 'int', PTR],
  CreateCpuMemoryInfo: [69, 'int', 'int', PTR],
  AllocatorFree: [76, PTR, PTR],
  GetAllocatorWithDefaultOptions: [78, PTR],
  GetAvailableProviders: [125, PTR, PTR],
  ReleaseAvailableProviders: [126, PTR, 'int'],
  AddSessionConfigEntry: [130, PTR, TEXT, TEXT],
  CreateAllocator: [131, PTR, PTR, PTR],
  AddRunConfigEntry: [165, PTR, TEXT, TEXT],
  SessionOptionsAppendExecutionProvider_TensorRT_V2: [170, PTR, PTR],
  CreateTensorRTProviderOptions: [171, PTR],
  UpdateTensorRTProviderOptions: [172, PTR, PTR, PTR, 'size_t'],
  GetTensorRTProviderOptionsAsString: [173, PTR, PTR, PTR],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, PTR, PTR],
  CreateCUDAProviderOptions: [205, PTR],
  UpdateCUDAProviderOptions: [206, PTR, PTR, PTR, 'size_t'],
  GetCUDAProviderOptionsAsString: [207, PTR, PTR, PTR],
  SessionOptionsAppendExecutionProvider: [216, PTR, TEXT, PTR, PTR, 'size_t'],
  UpdateEnvWithCustomLogLevel: [226, PTR, 'int'],
} as const satisfies Record<string, Row>;

/** Functions that free an object; they return nothing. */
export const RELEASES = {
  ReleaseStatus: 93,
  ReleaseMemoryInfo: 94,
  ReleaseSession: 95,
  ReleaseValue: 96,
  ReleaseRunOptions: 97,
  ReleaseTypeInfo: 98,
  ReleaseSessionOptions: 100,
  ReleaseAllocator: 132,
  ReleaseTensorRTProviderOptions: 174,
  ReleaseCUDAProviderOptions: 208,
} as const;

/** Index of GetErrorCode, which reads an OrtStatus. */
export const GET_ERROR_CODE = 1;
/** Index of GetErrorMessage, which reads an OrtStatus. */
export const GET_ERROR_MESSAGE = 2;

/** Name of a function that returns an OrtStatus. */
export type Call = keyof typeof CALLS;
/** Name of a function that frees an object. */
export type Release = keyof typeof RELEASES;

/** ONNXTensorElementDataType. */
export const ELEMENT = { float32: 1, int64: 7, float64: 11 } as const;
/** Element type of a tensor. */
export type ElementType = keyof typeof ELEMENT;

/** OrtLoggingLevel. */
export const LOG = { verbose: 0, info: 1, warning: 2, error: 3, fatal: 4 } as const;
/** Name of a log level. */
export type LogLevel = keyof typeof LOG;
