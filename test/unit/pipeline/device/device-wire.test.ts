/** Messages come out as they went in, however the socket cuts them. */

import { connect, createServer, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Message, send, WireReader } from '../../../../src/pipeline/device/device-wire.ts';

interface Head {
  id: number;
  text?: string;
}

/** What a socket would be sent. */
function bytesOf(head: Head, tensors: Float32Array[]): Buffer {
  const parts: Uint8Array[] = [];
  const socket = { cork: () => undefined, uncork: () => undefined, write: (part: Uint8Array) => parts.push(part) };
  send(socket as unknown as Socket, head, tensors);
  return Buffer.concat(parts);
}

const tensors = [Float32Array.of(1, -2, 3.5), Float32Array.of(Number.NaN, 1e-30), new Float32Array()];
const stream = Buffer.concat([
  bytesOf({ id: 1, text: 'größer' }, tensors),
  bytesOf({ id: 2 }, []),
  bytesOf({ id: 3 }, [new Float32Array(1000).fill(0.25)]),
]);

describe('a reader', () => {
  test.each([1, 2, 7, 64, 1000, 1e6])('puts chunks of %d bytes together', (size) => {
    const seen: Message<Head>[] = [];
    const reader = new WireReader<Head>((message) => seen.push(message));
    for (let at = 0; at < stream.length; at += size) reader.feed(stream.subarray(at, at + size));
    expect(seen.map(({ head }) => head)).toEqual([{ id: 1, text: 'größer' }, { id: 2 }, { id: 3 }]);
    expect(seen[0]!.tensors).toEqual(tensors);
    expect(seen[1]!.tensors).toEqual([]);
    expect(seen[2]!.tensors[0]).toEqual(new Float32Array(1000).fill(0.25));
  });

  test('refuses bytes of another protocol', () => {
    const reader = new WireReader<Head>(() => undefined);
    expect(() => reader.feed(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toThrow(/Something else/);
  });

  test.each([
    ['no JSON', '{"id":1,', 0],
    ['no object', 'null', 0],
    ['no lengths', '{"id":1}', 0],
    ['lengths that are no numbers', '{"lengths":["1"]}', 1],
    ['a negative length', '{"lengths":[2,-1]}', 1],
    ['lengths of fewer floats than there are', '{"lengths":[1]}', 2],
    ['lengths of more', '{"lengths":[1,2]}', 2],
  ])('refuses a head with %s', (_what, head, floats) => {
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32LE(head.length, 0);
    prefix.writeUInt32LE(floats, 4);
    const reader = new WireReader<Head>(() => undefined);
    expect(() => reader.feed(Buffer.concat([prefix, Buffer.from(head), Buffer.alloc(4 * floats)]))).toThrow(
      expect.objectContaining({ code: 'bad_device_message' }),
    );
  });
});

test('tensors of a view go out as that view, over a real socket', async () => {
  const address = path.join(os.tmpdir(), `faceoff-wire-${process.pid}.sock`);
  const server = createServer((socket) => socket.pipe(socket)).listen(address);
  const socket = connect(address);
  const back = new Promise<Message<Head>>((resolve) => {
    const reader = new WireReader<Head>(resolve);
    socket.on('data', (chunk) => reader.feed(chunk));
  });
  const whole = Float32Array.from({ length: 200_000 }, (_, i) => i);
  send(socket, { id: 7 }, [whole.subarray(100, 150_100)]);
  const { head, tensors: got } = await back;
  expect(head).toEqual({ id: 7 });
  expect(got[0]).toEqual(whole.slice(100, 150_100));
  socket.destroy();
  server.close();
});
