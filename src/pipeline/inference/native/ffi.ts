/**
 * Foreign function interface: calls into C libraries, by koffi. Pointers are bigints; memory that C reads or writes is
 * a typed array, which the caller must keep referenced until C is done with it.
 */

import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { messageOf } from '../../../shared/errors.ts';

/** An address in C memory; 0n is null. */
export type Pointer = bigint;
/** A value that can be passed to a C function. */
export type Argument = Pointer | number | string | null | ArrayBufferView;

/** A C function: called on this thread, which it blocks. */
export interface ForeignFunction {
  (...args: Argument[]): unknown;
  /** Calls the function on another thread, so that the event loop goes on. */
  async(...args: [...Argument[], (error: unknown, result: unknown) => void]): void;
}

/**
 * Size of koffi's own stacks for C. Its default of 128 KiB for asynchronous calls is too small for ONNX Runtime's graph
 * optimiser or a kernel builder.
 */
const STACK_BYTES = 16 * 2 ** 20;

let loaded: typeof Koffi | null = null;

/** Loaded at first use, so that FaceOff starts on platforms that koffi has no binary for. */
function koffi(): typeof Koffi {
  if (loaded === null) {
    loaded = createRequire(import.meta.url)('koffi') as typeof Koffi;
    loaded.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES, resident_async_pools: 2 });
  }
  return loaded;
}

/** A loaded library. */
export interface Library {
  /** @param result C type. @param parameters C types. @throws Error when there is no such symbol. */
  func(name: string, result: string, parameters: readonly string[]): ForeignFunction;
}

const open = new Map<string | null, Koffi.LibraryHandle>();

/**
 * Loads a library until the process ends: functions that are called by address must not be unloaded when koffi's handle
 * is collected, nor during exit while other libraries still call them.
 * @param file path or bare name; null is the program itself.
 * @throws Error when it cannot be loaded.
 */
export function openLibrary(file: string | null): Library {
  let library = open.get(file);
  if (library === undefined) {
    library = koffi().load(file);
    open.set(file, library);
    if (file !== null && process.platform !== 'win32') systemLoader().open(file, RTLD_LAZY | RTLD_NODELETE);
  }
  const handle = library;
  return { func: (name, result, parameters) => handle.func(name, result, [...parameters]) as ForeignFunction };
}

/**
 * The function at an index of a table of function pointers.
 * @param result C type. @param parameters C types.
 */
export function functionInTable(
  table: Pointer,
  index: number,
  result: string,
  parameters: readonly string[],
): ForeignFunction {
  const address = koffi().decode(table, index * koffi().sizeof('void *'), 'void *') as Pointer;
  return koffi().decode(address, koffi().proto(result, [...parameters])) as ForeignFunction;
}

/**
 * The address of an array's elements. It is valid as long as the array is referenced and its buffer is not transferred:
 * use the array after the call, or pass the array itself.
 */
export function addressOf(array: ArrayBufferView): Pointer {
  // A small typed array lives in V8's heap, where it may be moved, until its buffer is accessed.
  void array.buffer;
  return koffi().address(array);
}

/** The zero-terminated UTF-8 string at an address. */
export const readString = (pointer: Pointer): string => koffi().decode.string(pointer);
/** The pointer at an index of an array of pointers. */
export const readPointer = (pointer: Pointer, index = 0): Pointer =>
  koffi().decode(pointer, index * koffi().sizeof('void *'), 'void *') as Pointer;

const RTLD_LAZY = 1;
const RTLD_NODELETE = process.platform === 'darwin' ? 0x80 : 0x1000;
let loader: { open: ForeignFunction; error: ForeignFunction } | null = null;

function systemLoader(): { open: ForeignFunction; error: ForeignFunction } {
  if (loader === null) {
    const program = openLibrary(null);
    loader = { open: program.func('dlopen', 'void *', ['str', 'int']), error: program.func('dlerror', 'str', []) };
  }
  return loader;
}

/**
 * Loads a library by its name, as the system does for a library that depends on it.
 * @returns null when it loads, else the system loader's message.
 */
export function loadProblemOf(name: string): string | null {
  if (process.platform === 'win32') return koffiProblemOf(name);
  const { open: load, error } = systemLoader();
  return load(name, RTLD_LAZY) ? null : String(error() ?? `${name} cannot be loaded`);
}

function koffiProblemOf(name: string): string | null {
  try {
    openLibrary(name);
    return null;
  } catch (error) {
    return `${name}: ${messageOf(error)}`;
  }
}
