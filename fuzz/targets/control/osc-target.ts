import { changeOf } from '../../../src/server/osc/osc-changes.ts';
import { parseOsc } from '../../../src/server/osc/osc-packet.ts';
import { settingsFrom } from '../../../src/server/session/session-settings.ts';
import { DEFAULT_SETTINGS } from '../../../src/shared/settings.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { holds, type Target } from '../../run/target.ts';

/** Zero-terminated, filled up to four bytes. */
const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from(value), Buffer.alloc(4 - (Buffer.byteLength(value) % 4))]);
const float = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
};
const sized = (message: Buffer): Buffer => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(message.length);
  return Buffer.concat([size, message]);
};
const STRENGTH = Buffer.concat([text('/faceoff/strength'), text(',f'), float(0.5)]);
const SAMPLES = [
  STRENGTH,
  Buffer.concat([text('/faceoff/face'), text(',s'), text('astronaut')]),
  Buffer.concat([text('/faceoff/toggle/offAir'), text(',T')]),
  Buffer.concat([text('/faceoff/face/next')]),
  Buffer.concat([text('/faceoff/keepEyes'), text(',ihb'), Buffer.alloc(20)]),
  Buffer.concat([text('#bundle'), Buffer.alloc(8), sized(STRENGTH), sized(STRENGTH)]),
];

/** Datagrams of OSC, to the change that they ask for. */
export const oscTarget: Target = {
  name: 'osc',
  reads: 'parseOsc, changeOf',
  share: 1,
  growthBytes: 16 * 2 ** 20,
  open: async () => ({
    make: (random) => mutatedBytes(SAMPLES, random),
    feed(input) {
      const messages = parseOsc(input);
      if (messages === null) return false;
      holds(messages.length <= 256, 'more messages than are read');
      for (const message of messages) {
        const patch = changeOf(message, { settings: DEFAULT_SETTINGS, faces: [], preset: () => ({}) });
        if (patch !== null) settingsFrom(patch);
      }
      return true;
    },
    close: async () => undefined,
  }),
};
