/** The invisible mark on its way: lane, a real viewer at 1 Mbit/s, a recording, a snapshot. */

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { detectIn } from '../../../src/commands/detect/detect-in-file.ts';
import { root } from '../../../src/lib/package-root.ts';
import type { RecordingState } from '../../../src/shared/messages.ts';
import type { Frame } from '../../../src/shared/types.ts';
import { type MessageLayout, messageLayout } from '../../../src/watermark/chips.ts';
import { MarkDetector } from '../../../src/watermark/mark-detector.ts';
import { layoutWords, readMarkKey } from '../../../src/watermark/mark-key.ts';
import { sessionWord } from '../../../src/watermark/session-word.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../../support/lane.ts';
import { Publisher } from '../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../support/server.ts';
import { swapSettings } from '../../support/settings.ts';
import { Watcher } from '../../support/viewer.ts';
import { grayOf, TEST_KEY, testLayout } from '../../support/watermark.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** One person of the group photo, in a few places. */
const person = (step: number, width: number, height: number): Promise<Frame> =>
  cutFrame(group, { left: 1400 + 3 * (step % 4), top: 130 + 2 * (step % 3), width: 460, height: 345 }, width, height);

const messageIn = (frame: Frame, layout: MessageLayout) => {
  const detector = new MarkDetector(layout);
  detector.add(grayOf(frame));
  return detector.result();
};

describe('a lane with a key', () => {
  const session = '12345678-0000-4000-8000-000000000000';

  async function swapped(frame: Frame, words: Uint32Array | null, face: string | null) {
    const lane = await startLane(undefined, { markWords: words });
    try {
      const portrait = await readFrame(astronaut);
      const [found] = await lane.analyse(portrait);
      await lane.take('source', await lane.enrol([{ picture: portrait, points: found!.points }]));
      await lane.open(session, swapSettings({ face }));
      return await lane.swap(session, copyFrame(frame));
    } finally {
      await lane.end();
    }
  }

  test('marks a swapped frame with its session, all over and lightly', async () => {
    const frame = await person(0, 640, 480);
    const [marked, plain] = [
      await swapped(frame, layoutWords(TEST_KEY), 'source'),
      await swapped(frame, null, 'source'),
    ];
    expect([marked.result, plain.result]).toEqual(['swapped', 'swapped']);
    expect(messageIn(marked.frame, testLayout)).toMatchObject({ isMarked: true, message: 0x12345678 });
    expect(messageIn(plain.frame, testLayout).isMarked).toBe(false);
    expect(marked.stagesMs).toHaveProperty('watermark');
    const change = marked.frame.data.map((value, i) => Math.abs(value - plain.frame.data[i]!));
    expect(change.every((value) => value <= 3)).toBe(true);
    expect(change.subarray(640 * 480).every((value) => value === 0)).toBe(true);
  });

  test.each([
    ['a frame in which nobody is', () => Promise.resolve({ ...blank(640, 480) }), 'source'],
    ['a frame while no face is chosen', () => person(0, 640, 480), null],
  ] as const)('leaves %s as it came', async (_what, frameOf, face) => {
    const frame = await frameOf();
    const { frame: out, result } = await swapped(frame, layoutWords(TEST_KEY), face);
    expect(result).not.toBe('swapped');
    expect(Buffer.from(out.data).equals(frame.data)).toBe(true);
  });
});

function blank(width: number, height: number): Frame {
  return { width, height, data: new Uint8Array((width * height * 3) / 2).fill(128), receivedAtMs: 0 };
}

describe('a live session', () => {
  const size = { width: 640, height: 480 };
  let server: TestServer;
  let layout: MessageLayout;
  const camera = new Publisher();
  const watcher = new Watcher();

  beforeAll(async () => {
    server = await startServer({
      webrtc: { startKbps: 1000, minKbps: 300, maxKbps: 1000 },
      pipeline: { budgetMs: 1000 },
    });
    layout = messageLayout(layoutWords((await readMarkKey(server.config.storage.dir))!));
    const pictures: Uint8Array[] = [];
    for (let step = 0; step < 12; step++) pictures.push((await person(step, size.width, size.height)).data);
    camera.play(size, pictures, 10);
    await camera.whip(server.url, '?face=astronaut&stream=stage');
    await watcher.whep(server.url, 'stage');
    await until(() => watcher.received > 20, 'pictures', 60_000);
    await until(() => server.sessions.all()[0]!.stats.swapped > 20, 'swapped pictures', 60_000);
  });
  afterAll(async () => {
    watcher.close();
    camera.close();
    await server.stop();
  });
  const word = (): number => sessionWord(server.sessions.all()[0]!.id);

  /** What `faceoff detect` says of a file, with the server's key. */
  function detect(file: string): Promise<unknown> {
    const storage = `storage.dir=${server.config.storage.dir}`;
    const args = [path.join(root, 'dist/main.js'), 'detect', '--json', '--set', storage, file];
    return new Promise((resolve) =>
      execFile(process.execPath, args, (error, out) => resolve({ code: error?.code ?? 0, ...JSON.parse(out || '{}') })),
    );
  }
  const found = () => ({ code: 0, marked: true, session: server.sessions.all()[0]!.id.slice(0, 8) });

  test('is found by what a viewer sees at 1 Mbit/s, also by the program', async () => {
    const detector = new MarkDetector(layout);
    const seen: Uint8Array[] = [Buffer.from(`YUV4MPEG2 W${size.width} H${size.height} F2:1 Ip A1:1 C420jpeg\n`)];
    for (let k = 0; k < 12; k++) {
      const before = watcher.received;
      await until(() => watcher.received > before + 4, 'pictures', 60_000);
      const [width, height] = watcher.size.split('x').map(Number) as [number, number];
      if (width !== size.width) continue;
      detector.add(grayOf({ width, height, data: Uint8Array.from(watcher.picture), receivedAtMs: 0 }));
      seen.push(Buffer.from('FRAME\n'), Uint8Array.from(watcher.picture));
    }
    expect(detector.result()).toMatchObject({ isMarked: true, message: word() });
    const file = path.join(server.config.storage.dir, 'seen.y4m');
    writeFileSync(file, Buffer.concat(seen));
    expect(await detect(file)).toMatchObject(found());
  });

  test('is found in a snapshot', async () => {
    const { id } = server.sessions.all()[0]!;
    const reply = await fetch(`${server.url}/api/sessions/${id}/snapshot.png`);
    const file = path.join(server.config.storage.dir, 'snapshot.png');
    writeFileSync(file, new Uint8Array(await reply.arrayBuffer()));
    expect(await detectIn(file, layout)).toMatchObject({ isMarked: true, message: word() });
  });

  test('is found in a recording, also by the program', async () => {
    const url = `${server.url}/api/sessions/${server.sessions.all()[0]!.id}/recording`;
    expect((await fetch(url, { method: 'POST' })).status).toBe(201);
    const before = watcher.received;
    await until(() => watcher.received > before + 60, 'pictures', 60_000);
    const { folder, files } = (await (await fetch(url, { method: 'DELETE' })).json()) as RecordingState;
    const file = path.join(folder, files[0]!);
    expect(await detectIn(file, layout)).toMatchObject({ isMarked: true, message: word() });
    expect(await detect(file)).toMatchObject(found());
  });
});
