/** Inputs and outputs of an opened session, as ONNX Runtime reports them. */

import { addressOf, type Pointer } from './ffi.ts';
import type { OrtApi } from './ort-api.ts';
import { ELEMENT } from './ort-api-table.ts';

/** Element types of a model's inputs and outputs, by name. */
export interface ModelDescription {
  inputs: Map<string, string>;
  outputs: Map<string, string>;
}

const NAMES = new Map<number, string>(Object.entries(ELEMENT).map(([name, number]) => [number, name]));

/** @param session OrtSession. */
export function describeModel(api: OrtApi, session: Pointer): ModelDescription {
  return { inputs: list(api, session, 'Input'), outputs: list(api, session, 'Output') };
}

function list(api: OrtApi, session: Pointer, kind: 'Input' | 'Output'): Map<string, string> {
  const count = Number(api.ask(`SessionGet${kind}Count`, session));
  return new Map(
    Array.from({ length: count }, (_, i) => [
      api.text(`SessionGet${kind}Name`, session, i, api.allocator),
      elementType(api, api.make(`SessionGet${kind}TypeInfo`, session, i)),
    ]),
  );
}

/** The element type of a tensor. @param info OrtTypeInfo, released here. */
function elementType(api: OrtApi, info: Pointer): string {
  try {
    // Owned by `info`; null for a value that is no tensor.
    const tensor = api.ask('CastTypeInfoToTensorInfo', info);
    if (tensor === 0n) return 'no tensor';
    const type = new Int32Array(1);
    api.call('GetTensorElementType', tensor, addressOf(type));
    return NAMES.get(type[0]!) ?? `another type (${type[0]})`;
  } finally {
    api.release('ReleaseTypeInfo', info);
  }
}
