import { send, WireReader } from '../../../src/pipeline/device/device-wire.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { holds, type Target } from '../../run/target.ts';

function written(head: object, tensors: readonly Float32Array[]): Buffer {
  const parts: Buffer[] = [];
  const socket = {
    cork: () => undefined,
    uncork: () => undefined,
    write: (part: Uint8Array) => parts.push(Buffer.from(part)),
  };
  send(socket as never, head, tensors);
  return Buffer.concat(parts);
}

const samples = [
  written({ type: 'hello', version: 1 }, []),
  written({ type: 'run', id: 7, model: 'generator' }, [new Float32Array(12), Float32Array.of(1, 2, 3)]),
];
samples.push(Buffer.concat(samples));

/** The stream between lanes and the device process. */
export const wireTarget: Target = {
  name: 'wire',
  reads: 'WireReader of the device process',
  share: 0.5,
  growthBytes: 24 * 2 ** 20,
  open: async () => ({
    make: (random) => mutatedBytes(samples, random),
    feed(input) {
      let messages = 0;
      const reader = new WireReader<{ type: string }>(({ tensors }) => {
        messages++;
        holds(
          tensors.every((tensor) => tensor instanceof Float32Array),
          'tensors of another type',
        );
      });
      for (let at = 0; at < input.length; at += 7) reader.feed(input.subarray(at, at + 7));
      return messages > 0;
    },
    close: async () => undefined,
  }),
};
