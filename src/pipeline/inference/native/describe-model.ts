/** What an opened model has: the names of its inputs and outputs with their element types. */

import { addressOf, type Pointer } from './ffi.ts';
import type { OrtApi } from './ort-api.ts';
import { ELEMENT } from './ort-api-table.ts';

export interface Description {
  inputs: Map<string, string>;
  outputs: Map<string, string>;
}

const NAMES = new Map<number, string>(Object.entries(ELEMENT).map(([name, number]) => [number, name]));

export function describe(api: OrtApi, session: Pointer): Description {
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

/** @param info is freed. */
function elementType(api: OrtApi, info: Pointer): string {
  try {
    // Belongs to `info`; null for what is no tensor.
    const tensor = api.ask('CastTypeInfoToTensorInfo', info);
    if (tensor === 0n) return 'no tensor';
    const type = new Int32Array(1);
    api.call('GetTensorElementType', tensor, addressOf(type));
    return NAMES.get(type[0]!) ?? `another type (${type[0]})`;
  } finally {
    api.release('ReleaseTypeInfo', info);
  }
}
