/** What a modified picture says of itself: the mark in it, and what programs are told. */

import type { RTCPeerConnection } from '@roamhq/wrtc';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Badge } from '../../../../src/pipeline/lane/badge.ts';
import { CORNERS, type Frame } from '../../../../src/shared/types.ts';
import { astronaut, copyFrame, cutFrame, group, readFrame, startLane } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';
import { swapSettings } from '../../../support/settings.ts';
import { Watcher } from '../../../support/viewer.ts';

const grey = (width: number, height: number): Frame => ({
  ...{ width, height, receivedAtMs: 0 },
  data: new Uint8Array(width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2)).fill(128),
});

/** The box of the luma that was changed: left, top, right, bottom. */
function changed({ width, height, data }: Frame, before: Frame): number[] | null {
  let [x0, y0, x1, y1] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] === before.data[y * width + x]) continue;
      [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
    }
  }
  return x1 < 0 ? null : [x0, y0, x1, y1];
}

describe('the mark', () => {
  test.each(CORNERS)('lies %s, has light letters on dark, and its size follows the picture', async (corner) => {
    const badge = await Badge.render(corner);
    const heights: number[] = [];
    for (const [width, height] of [
      [1280, 720],
      [640, 480],
      [321, 241],
    ] as const) {
      const frame = grey(width, height);
      badge.draw(frame);
      const [x0, y0, x1, y1] = changed(frame, grey(width, height))!;
      const middle = [(x0! + x1!) / 2 / width, (y0! + y1!) / 2 / height] as const;
      expect(middle[0] < 0.5).toBe(corner.endsWith('left'));
      expect(middle[1] < 0.5).toBe(corner.startsWith('top'));
      const luma = frame.data.subarray(0, width * height);
      expect(luma.some((value) => value > 200)).toBe(true);
      expect(luma.some((value) => value < 80)).toBe(true);
      heights.push(y1! - y0! + 1);
    }
    expect(heights[0]).toBeGreaterThan(heights[1]!);
    expect(heights[1]).toBeGreaterThan(heights[2]!);
  });

  test.each([
    [2, 2],
    [16, 16],
    [17, 9],
    [64, 3000],
  ])('fits into %i x %i', async (width, height) => {
    const frame = grey(width, height);
    const { length } = frame.data;
    (await Badge.render('bottom-right')).draw(frame);
    expect(frame.data.length).toBe(length);
  });

  test('is drawn on every picture while a face is chosen and the mark is wanted, swapped or not', async () => {
    const lane = await startLane();
    const portrait = await readFrame(astronaut);
    const [found] = await lane.analyse(portrait);
    await lane.take('a', await lane.enrol([{ picture: portrait, points: found!.points }]));
    const face = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    const corner = async (frame: Frame, patch: { face: string | null; badge: boolean }): Promise<boolean> => {
      await lane.open('s', swapSettings({ shape: 1, ...patch }));
      const done = await lane.swap('s', copyFrame(frame));
      await lane.close('s');
      const part = ({ data }: Frame): string =>
        Array.from({ length: 40 }, (_, y) => data.subarray((440 + y) * 640 + 480, (441 + y) * 640)).join();
      return part(done.frame) !== part(frame);
    };
    expect(await corner(face, { face: 'a', badge: true })).toBe(true);
    expect(await corner(grey(640, 480), { face: 'a', badge: true })).toBe(true);
    expect(await corner(face, { face: 'a', badge: false })).toBe(false);
    expect(await corner(face, { face: null, badge: true })).toBe(false);
    await lane.end();
  });
});

describe('programs', () => {
  let server: TestServer;
  let clients: { close(): void }[] = [];
  beforeAll(async () => {
    server = await startServer();
    return () => server.stop();
  });
  afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
    server.sessions.close();
  });

  /** What is said on a data channel that the client opens. */
  function listen(connection: RTCPeerConnection): string[] {
    const said: string[] = [];
    const channel = (
      connection as RTCPeerConnection & {
        createDataChannel(label: string): { onmessage: ((event: { data: string }) => void) | null };
      }
    ).createDataChannel('faceoff');
    channel.onmessage = ({ data }) => said.push(data);
    return said;
  }
  const listed = async (): Promise<{ modified: boolean }> =>
    ((await (await fetch(`${server.url}/api/sessions`)).json()) as { modified: boolean }[])[0]!;
  const yes = '{"type":"disclosure","aiModified":true}';
  const no = '{"type":"disclosure","aiModified":false}';

  test('are told on a data channel, in a header and in the list of sessions, also when it changes', async () => {
    const camera = new Publisher();
    clients.push(camera);
    const own = listen(camera.connection);
    camera.send(320, 240);
    const begun = await camera.whip(server.url, '?face=astronaut&stream=stage');
    expect(begun.headers.get('ai-disclosure')).toBe('mode=ai-modified');
    const watcher = new Watcher();
    clients.push(watcher);
    const said = listen(watcher.connection);
    const answer = await watcher.whep(server.url, 'stage');
    expect(answer.headers.get('ai-disclosure')).toBe('mode=ai-modified');
    await until(() => said.length > 0 && own.length > 0, 'word on the data channels');
    expect([said, own]).toEqual([[yes], [yes]]);
    expect((await listed()).modified).toBe(true);
    server.sessions.all()[0]!.set({ face: null });
    await until(() => said.at(-1) === no && own.at(-1) === no, 'word of the change');
    expect((await listed()).modified).toBe(false);
    const late = new Watcher();
    clients.push(late);
    expect((await late.whep(server.url, 'stage')).headers.get('ai-disclosure')).toBe('mode=none');
  });

  test('that want no data channel are told without', async () => {
    const camera = new Publisher();
    clients.push(camera);
    camera.send(320, 240);
    expect((await camera.whip(server.url, '?face=astronaut')).status).toBe(201);
    await until(() => camera.received.length > 0, 'pictures');
  });
});
