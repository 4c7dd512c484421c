/**
 * Calls into C libraries: the one home of koffi. Pointers are bigints; memory that C reads or writes is a typed array of
 * ours, which whoever calls must keep until C has done with it.
 */

import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

export type Pointer = bigint;
export type Argument = Pointer | number | string | null | ArrayBufferView;

export interface ForeignFunction {
  (...args: Argument[]): unknown;
  /** The same on another thread; the event loop goes on. */
  async(...args: [...Argument[], (error: unknown, result: unknown) => void]): void;
}

/** Koffi runs C on stacks of its own. Its 128 KiB for asynchronous calls are too few for a graph optimiser or a kernel builder. */
const STACK_BYTES = 16 * 2 ** 20;

let loaded: typeof Koffi | null = null;

/** Loaded when it is first needed: FaceOff starts without it, and on platforms that it has no binary for. */
function koffi(): typeof Koffi {
  if (loaded === null) {
    loaded = createRequire(import.meta.url)('koffi') as typeof Koffi;
    loaded.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES, resident_async_pools: 2 });
  }
  return loaded;
}

export interface Library {
  /** @throws Error when there is no such symbol. */
  func(name: string, result: string, parameters: readonly string[]): ForeignFunction;
}

const open = new Map<string | null, Koffi.LibraryHandle>();

/**
 * Loads a library for as long as the process lives: what is called by its address must not go away when koffi's handle is
 * collected, nor while the process ends and other libraries still call it.
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

/** The function whose address stands at that place of a table of function pointers. */
export function functionInTable(
  ...[table, index, result, parameters]: [Pointer, number, string, readonly string[]]
): ForeignFunction {
  const address = koffi().decode(table, index * koffi().sizeof('void *'), 'void *') as Pointer;
  return koffi().decode(address, koffi().proto(result, [...parameters])) as ForeignFunction;
}

/**
 * Where the array's numbers are. They stay there as long as the array lives and its buffer is not transferred: use the array
 * after the call, or pass the array itself.
 */
export function addressOf(array: ArrayBufferView): Pointer {
  // Small typed arrays live in V8's heap, where they may be moved, until their buffer is asked for.
  void array.buffer;
  return koffi().address(array);
}

export const readString = (pointer: Pointer): string => koffi().decode.string(pointer);
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
 * Loads a library by its name, as the system would for another library that needs it.
 * @returns null when it is there, else what the system says is missing.
 */
export function complaintAbout(name: string): string | null {
  if (process.platform === 'win32') return complaintOfLoad(name);
  const { open: load, error } = systemLoader();
  return load(name, RTLD_LAZY) ? null : String(error() ?? `${name} cannot be loaded`);
}

function complaintOfLoad(name: string): string | null {
  try {
    openLibrary(name);
    return null;
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
