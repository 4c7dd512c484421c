/** FFmpeg 8's own `-f whip` publishes: it takes the first candidate of an answer, and no other. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EchoServer, startEcho } from '../../../support/echo.ts';
import { cacheWithH264, h264Libraries, whyNoH264 } from '../../../support/h264.ts';
import { until } from '../../../support/server.ts';

const why = whyNoH264();

interface Stream {
  readonly index: number;
  readonly codecpar: { codecType: number; copy(to: object): number };
  timeBase: { num: number; den: number };
}
interface Packet {
  alloc(): void;
  free(): void;
  unref(): void;
  streamIndex: number;
  readonly dts: bigint;
  rescaleTs(from: object, to: object): void;
}
interface FormatContext {
  readonly streams: Stream[];
  openInput(file: string): Promise<number>;
  findStreamInfo(): Promise<number>;
  closeInput(): Promise<void>;
  readFrame(packet: Packet): Promise<number>;
  allocOutputContext2(format: null, name: string, url: string): number;
  newStream(): Stream;
  writeHeader(): Promise<number>;
  writeFrame(packet: Packet): Promise<number>;
  writeTrailer(): Promise<number>;
  freeContext(): void;
}
/** The part of node-av that reads and writes files and streams, which FaceOff itself does not use. */
interface Library {
  FormatContext: new () => FormatContext;
  Packet: new () => Packet;
}

const VIDEO = 0;

/** Publishes a file with FFmpeg's WHIP muxer, at its own speed. @returns what the muxer said first to an error, else 0. */
async function publish(library: Library, file: string, url: string, withSound: boolean): Promise<number> {
  const input = new library.FormatContext();
  if ((await input.openInput(file)) < 0 || (await input.findStreamInfo()) < 0) throw new Error(`${file} does not open`);
  const output = new library.FormatContext();
  output.allocOutputContext2(null, 'whip', url);
  const outputs = new Map<number, Stream>();
  for (const stream of input.streams) {
    if (stream.codecpar.codecType !== VIDEO && !withSound) continue;
    const copy = output.newStream();
    stream.codecpar.copy(copy.codecpar);
    copy.timeBase = stream.timeBase;
    outputs.set(stream.index, copy);
  }
  let result = await output.writeHeader();
  const packet = new library.Packet();
  packet.alloc();
  const beganMs = performance.now();
  while (result >= 0 && (await input.readFrame(packet)) >= 0) {
    const from = input.streams[packet.streamIndex]!;
    const to = outputs.get(packet.streamIndex);
    const dueMs = beganMs + (1000 * Number(packet.dts) * from.timeBase.num) / from.timeBase.den;
    if (dueMs > performance.now()) await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
    if (to !== undefined) {
      packet.rescaleTs(from.timeBase, to.timeBase);
      packet.streamIndex = to.index;
      result = await output.writeFrame(packet);
    }
    packet.unref();
  }
  await output.writeTrailer();
  packet.free();
  output.freeContext();
  await input.closeInput();
  return Math.min(0, result);
}

describe.skipIf(why !== null)(`FFmpeg's WHIP${why === null ? '' : ` (skipped: ${why})`}`, () => {
  const cacheDir = cacheWithH264();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-whip-'));
  const file = path.join(folder, 'clip.mkv');
  let server: EchoServer;
  let library: Library;

  beforeAll(async () => {
    library = (await h264Libraries()).codec as unknown as Library;
    server = await startEcho({ models: { cacheDir } });
    const video = ['-f', 'lavfi', '-i', 'color=red:size=320x240:rate=30', '-c:v', 'libx264', '-bf', '0', '-g', '30'];
    const sound = ['-f', 'lavfi', '-i', 'sine=440:sample_rate=48000', '-c:a', 'libopus', '-ac', '2'];
    const args = [...video.slice(0, 4), ...sound.slice(0, 4), ...video.slice(4), ...sound.slice(4)];
    const made = spawnSync('ffmpeg', ['-v', 'error', ...args, '-pix_fmt', 'yuv420p', '-t', '6', file]);
    expect(made.stderr.toString()).toBe('');
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([
    ['video alone', false],
    ['video and sound', true],
  ])('publishes %s, and ends its session', async (_what, withSound) => {
    const done = publish(library, file, `${server.url}/whip`, withSound);
    await until(() => (server.sessions.all()[0]?.stats.fpsOut ?? 0) > 20, 'pictures');
    expect(server.sessions.all()[0]!.stats).toMatchObject({ width: 320, height: 240 });
    expect(await done).toBe(0);
    await until(() => server.sessions.size === 0, 'the session to end');
    expect(server.lines.at(-1)).toMatchObject({ msg: 'session closed', why: 'deleted by its client' });
  });
});
