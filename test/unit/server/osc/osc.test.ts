import { createSocket } from 'node:dgram';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { changeOf } from '../../../../src/server/osc/osc-changes.ts';
import { OscInput } from '../../../../src/server/osc/osc-input.ts';
import { parseOsc } from '../../../../src/server/osc/osc-packet.ts';
import type { FaceInfo } from '../../../../src/shared/messages.ts';
import { DEFAULT_SETTINGS, type SettingsPatch } from '../../../../src/shared/settings.ts';

/** As the specification's examples have it: text ended by zero, filled up to four bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([bytes, Buffer.alloc(4 - (bytes.length % 4))]);
}
const float = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  return bytes;
};
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const message = (address: string, types: string, ...args: Buffer[]): Buffer =>
  Buffer.concat([text(address), text(`,${types}`), ...args]);
const bundle = (...parts: Buffer[]): Buffer =>
  Buffer.concat([text('#bundle'), Buffer.alloc(8), ...parts.flatMap((part) => [int(part.length), part])]);

test("the specification's example messages are read", () => {
  const hex = '2f6f7363696c6c61746f722f342f6672657175656e6379002c66000043dc0000';
  expect(parseOsc(Buffer.from(hex, 'hex'))).toEqual([{ address: '/oscillator/4/frequency', args: [440] }]);
  const second = '2f666f6f000000002c69697366660000000003e8ffffffff68656c6c6f0000003f9df3b640b5b22d';
  const [foo] = parseOsc(Buffer.from(second, 'hex'))!;
  expect(foo).toMatchObject({
    address: '/foo',
    args: [1000, -1, 'hello', expect.closeTo(1.234, 5), expect.closeTo(5.678, 5)],
  });
});

test('a bundle is taken apart in its order, bundles in it too', () => {
  const data = bundle(message('/a', 'i', int(1)), bundle(message('/b', 'T'), message('/c', '')), message('/d', 'F'));
  expect(parseOsc(data)!.map(({ address, args }) => [address, ...args])).toEqual([
    ['/a', 1],
    ['/b', true],
    ['/c'],
    ['/d', false],
  ]);
});

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['a text that does not end', Buffer.from('/faceoff')],
  ['no address', text('faceoff')],
  ['an argument that is cut off', message('/a', 'f', Buffer.alloc(2))],
  ['an unknown type', message('/a', 'q', Buffer.alloc(4))],
  ['a bundle that claims more than there is', Buffer.concat([text('#bundle'), Buffer.alloc(8), int(400)])],
  ['bundles in bundles without end', [1, 2, 3, 4, 5, 6].reduce((inner) => bundle(inner), message('/a', ''))],
  ['more messages than are read', bundle(...Array.from({ length: 300 }, () => message('/a', '')))],
])('%s is no OSC', (_what, data) => {
  expect(parseOsc(data)).toBeNull();
});

const faces = [
  { id: 'astronaut', name: 'Eileen Collins (NASA)' },
  { id: 'b', name: 'Mona Lisa' },
] as FaceInfo[];
const choices = {
  settings: { ...DEFAULT_SETTINGS, face: 'astronaut' },
  faces,
  preset: (name: string): SettingsPatch => ({ engine: name }),
};

test.each<[string, (number | string | boolean)[], SettingsPatch | null]>([
  ['/faceoff/strength', [0.25], { strength: 0.25 }],
  ['/faceoff/strength', [7], { strength: 1 }],
  ['/faceoff/strength', ['much'], null],
  ['/faceoff/soundOffsetMs', [-120.4], { soundOffsetMs: -120 }],
  ['/faceoff/soundOffsetMs', [5000], { soundOffsetMs: 800 }],
  ['/faceoff/keepEyes', [1], { keepEyes: true }],
  ['/faceoff/offAir', [false], { offAir: false }],
  ['/faceoff/fallback', ['blur'], { fallback: 'blur' }],
  ['/faceoff/face', ['mona lisa'], { face: 'b' }],
  ['/faceoff/face', ['astronaut'], { face: 'astronaut' }],
  ['/faceoff/face', ['none'], { face: null }],
  ['/faceoff/face', ['someone else'], null],
  ['/faceoff/face/next', [], { face: 'b' }],
  ['/faceoff/face/previous', [0], null],
  ['/faceoff/preset', ['Evening'], { engine: 'Evening' }],
  ['/faceoff/toggle/offAir', [1], { offAir: true }],
  ['/faceoff/toggle/offAir', [0], null],
  ['/faceoff/toggle/guarded', [1], null],
  ['/faceoff/map', ['{}'], null],
  ['/faceoff/constructor', [1], null],
  ['/other/strength', [1], null],
])('%s %j asks for %j', (address, args, wanted) => {
  expect(changeOf({ address, args }, choices)).toEqual(wanted);
});

let input: OscInput | null = null;
afterEach(() => input?.close());

test('a datagram changes the stream; one that is refused, or no OSC, changes nothing and is logged without what it held', async () => {
  const changes: SettingsPatch[] = [];
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const change = (patch: SettingsPatch): void => {
    if (patch.strength === 0) throw new Error('secret-word');
    changes.push(patch);
  };
  input = await OscInput.open(
    { oscHost: '127.0.0.1', oscPort: 0, oscStream: 'studio' },
    () => ({ choices, change }),
    log,
  );
  const sender = createSocket('udp4');
  const send = (data: Buffer): void => sender.send(data, input!.port, '127.0.0.1');
  send(Buffer.from('not OSC at all'));
  send(message('/faceoff/face', 's', text('no such name')));
  send(message('/faceoff/strength', 'f', float(0)));
  while (!changes.some(({ shape }) => shape === 0.5)) {
    send(message('/faceoff/shape', 'f', float(0.5)));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  sender.close();
  expect(changes.every(({ shape }) => shape === 0.5)).toBe(true);
  expect(lines.join('')).toContain('OSC changed nothing');
  expect(lines.join('')).not.toMatch(/no such name|not OSC at all/);
});

test('it listens nowhere unless a port is set, and says which setting is wrong where the port is taken', async () => {
  const log = pino({ level: 'silent' });
  const none = () => null;
  expect(await OscInput.open({ oscHost: '127.0.0.1', oscPort: null, oscStream: 'studio' }, none, log)).toBeNull();
  input = await OscInput.open({ oscHost: '127.0.0.1', oscPort: 0, oscStream: 'studio' }, none, log);
  const taken = { oscHost: '127.0.0.1', oscPort: input!.port, oscStream: 'studio' };
  await expect(OscInput.open(taken, none, log)).rejects.toMatchObject({
    code: 'bad_config',
    message: expect.stringContaining('control.oscPort'),
  });
});
