/**
 * The part of WebAssembly that the kernels use. Node's types leave it to the DOM library, which a server does not
 * load.
 */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
  }
  function validate(code: Uint8Array): boolean;
  function instantiate(
    code: Uint8Array,
    imports: Record<string, Record<string, unknown>>,
  ): Promise<{ instance: { exports: unknown } }>;
}
