/**
 * ONNX Runtime by its C API, from the library that onnxruntime-node contains. The JavaScript API of onnxruntime-node
 * accepts no provider options and blocks its thread; the C API sets every option, and runs and loads on other threads.
 */

import { createRequire } from 'node:module';
import path from 'node:path';
import { FaceOffError, messageOf } from '../../../shared/errors.ts';
import {
  type Argument,
  addressOf,
  type ForeignFunction,
  functionInTable,
  openLibrary,
  type Pointer,
  readPointer,
  readString,
} from './ffi.ts';
import {
  API_RELEASE,
  API_VERSION,
  CALLS,
  type Call,
  GET_ERROR_CODE,
  GET_ERROR_MESSAGE,
  LOG,
  type LogLevel,
  RELEASES,
  type Release,
} from './ort-api-table.ts';
import { NO_MEMORY_TO_SAY, OrtFailure } from './ort-faults.ts';

const FILE_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: `libonnxruntime.${API_RELEASE}0.dylib`,
  win32: 'onnxruntime.dll',
};

/** File name of the library on this platform. */
export const libraryName = (): string => FILE_NAMES[process.platform] ?? 'libonnxruntime.so.1';

/** The folder of the library that comes with onnxruntime-node. */
export function bundledFolder(): string {
  const module = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  return path.join(module, 'bin', 'napi-v6', process.platform, process.arch);
}

/** The C API of one library: calls by name, with checked status, on this thread or another. */
export class OrtApi {
  /** Version of the library, for instance 1.29.0. */
  readonly version: string;
  /** Folder of the library; ONNX Runtime loads providers from it. */
  readonly folder: string;
  /** OrtEnv. */
  readonly env: Pointer;
  /** The default OrtAllocator. */
  readonly allocator: Pointer;
  /** OrtMemoryInfo of host memory. */
  readonly cpuMemory: Pointer;
  readonly #table: Pointer;
  readonly #calls = new Map<Call, ForeignFunction>();
  readonly #releases = new Map<Release, ForeignFunction>();
  readonly #errorCode: ForeignFunction;
  readonly #errorMessage: ForeignFunction;

  /**
   * @throws FaceOffError `runtime_missing` when the library cannot be loaded, `runtime_differs` when it is of another
   *   release.
   */
  constructor(folder: string) {
    this.folder = folder;
    const { version, table } = tableOf(path.join(folder, libraryName()));
    this.version = version;
    this.#table = table;
    this.#errorCode = functionInTable(table, GET_ERROR_CODE, 'int', ['void *']);
    this.#errorMessage = functionInTable(table, GET_ERROR_MESSAGE, 'void *', ['void *']);
    this.env = this.make('CreateEnv', LOG.error, 'faceoff');
    this.allocator = this.make('GetAllocatorWithDefaultOptions');
    // OrtDeviceAllocator, OrtMemTypeDefault.
    this.cpuMemory = this.make('CreateCpuMemoryInfo', 0, 0);
  }

  /** Calls a function on this thread. @throws OrtFailure. */
  call(name: Call, ...args: Argument[]): void {
    this.#check(name, this.#function(name)(...args));
  }

  /** Calls a function on another thread. The caller keeps all passed memory referenced until the promise settles. */
  callAsync(name: Call, ...args: Argument[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#function(name).async(...args, (error, status) => {
        try {
          if (error) throw error;
          this.#check(name, status);
          resolve();
        } catch (failure) {
          reject(failure);
        }
      });
    });
  }

  /** Calls a function whose last parameter is an out parameter: a number or a pointer, which may be 0. */
  ask(name: Call, ...args: Argument[]): bigint {
    const out = new BigUint64Array(1);
    this.call(name, ...args, addressOf(out));
    return out[0]!;
  }

  /** Calls a function whose last parameter is an out parameter for a new object. */
  make(name: Call, ...args: Argument[]): Pointer {
    return made(name, this.ask(name, ...args));
  }

  /** Same as `make`, on another thread. */
  async makeAsync(name: Call, ...args: Argument[]): Promise<Pointer> {
    const out = new BigUint64Array(1);
    await this.callAsync(name, ...args, addressOf(out));
    return made(name, out[0]!);
  }

  /** Calls a function whose out parameter is a string, and frees the string. */
  text(name: Call, ...args: Argument[]): string {
    const pointer = this.make(name, ...args);
    try {
      return readString(pointer);
    } finally {
      this.call('AllocatorFree', this.allocator, pointer);
    }
  }

  /** Frees an object. */
  release(name: Release, pointer: Pointer): void {
    let release = this.#releases.get(name);
    if (release === undefined) {
      release = functionInTable(this.#table, RELEASES[name], 'void', ['void *']);
      this.#releases.set(name, release);
    }
    release(pointer);
  }

  /** Sets the least level that is logged to stderr, for all sessions of this process. */
  setLogLevel(level: LogLevel): void {
    this.call('UpdateEnvWithCustomLogLevel', this.env, LOG[level]);
  }

  /** Providers compiled into this build, such as CPUExecutionProvider; their libraries may still fail to load. */
  availableProviders(): string[] {
    const count = new Int32Array(1);
    const list = new BigUint64Array(1);
    this.call('GetAvailableProviders', addressOf(list), addressOf(count));
    const names = Array.from({ length: count[0]! }, (_, i) => readString(readPointer(list[0]!, i)));
    this.call('ReleaseAvailableProviders', list[0]!, count[0]!);
    return names;
  }

  #function(name: Call): ForeignFunction {
    let found = this.#calls.get(name);
    if (found === undefined) {
      const [index, ...parameters] = CALLS[name];
      found = functionInTable(this.#table, index, 'void *', parameters);
      this.#calls.set(name, found);
    }
    return found;
  }

  /** Throws for a status that is not null, and frees the status. */
  #check(name: Call, status: unknown): void {
    if (typeof status !== 'bigint' || status === 0n) return;
    const code = Number(this.#errorCode(status));
    const message = readString(this.#errorMessage(status) as Pointer);
    this.release('ReleaseStatus', status);
    throw new OrtFailure(name, message, code);
  }
}

/** Checks a new object: without memory for a status, ONNX Runtime returns success and makes nothing. */
function made(name: Call, pointer: Pointer): Pointer {
  if (pointer === 0n) throw new OrtFailure(name, NO_MEMORY_TO_SAY, 1);
  return pointer;
}

/** OrtGetApiBase() → { GetApi, GetVersionString }. */
function tableOf(file: string): { version: string; table: Pointer } {
  let base: Pointer;
  try {
    base = openLibrary(file).func('OrtGetApiBase', 'void *', [])() as Pointer;
  } catch (cause) {
    const why = messageOf(cause);
    throw new FaceOffError('runtime_missing', `${file} cannot be loaded: ${why}. Run \`npm ci\` again.`, { cause });
  }
  const version = String(functionInTable(base, 1, 'str', [])());
  const table = functionInTable(base, 0, 'void *', ['uint32_t'])(API_VERSION);
  if (!version.startsWith(API_RELEASE) || typeof table !== 'bigint' || table === 0n) {
    throw new FaceOffError(
      'runtime_differs',
      `${file} is ONNX Runtime ${version}; FaceOff knows the C API of ${API_RELEASE}x (version ${API_VERSION}). Run \`npm ci\` to get that one.`,
    );
  }
  return { version, table };
}

const opened = new Map<string, OrtApi>();

/**
 * The C API of the library in a folder; opened once per process and never closed.
 * @throws FaceOffError `runtime_missing`, `runtime_differs`.
 */
export function openApi(folder: string = bundledFolder()): OrtApi {
  let api = opened.get(folder);
  if (api === undefined) {
    api = new OrtApi(folder);
    opened.set(folder, api);
  }
  return api;
}
