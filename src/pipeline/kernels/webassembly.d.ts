/**
 * The part of WebAssembly that the kernels use. Node's types leave it to the DOM library, which a server does not
 * load.
 */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
  }
  /** Compiled code, which any number of instances can be made of. */
  interface Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module';
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: unknown;
  }
  function compile(code: Uint8Array): Promise<Module>;
  function validate(code: Uint8Array): boolean;
}
