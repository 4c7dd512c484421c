/** The pages people open, in a real Chromium, where a real LiveKit carries their pictures to workers and back. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RtcLibrary } from '../../src/agent/rtc-library.ts';
import { loadRtc } from '../../src/agent/rtc-packages.ts';
import type { RoomTicket } from '../../src/livekit/stream-tokens.ts';
import { distance } from '../../src/pipeline/face/embed.ts';
import type { Frame } from '../../src/shared/types.ts';
import { received } from '../browser/picture.ts';
import { launchBrowser } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { astronaut, cutFrame, group, readFrame } from '../support/lane.ts';
import {
  pause,
  repositoryCache,
  startAgent,
  startLiveKit,
  type TestAgent,
  type TestLiveKit,
  whyNoLiveKit,
} from '../support/livekit.ts';
import { ViewerOfCluster } from '../support/livekit-people.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { openWho, type Who } from '../support/who.ts';

const why = whyNoLiveKit();
/** A worker with room for one job, however busy the machine is. */
const single = ['--set', 'limits.sessions=1', '--set', 'livekit.maxLoad=1'];

describe.skipIf(why !== null)(`pages of a cluster${why === null ? '' : ` (${why})`}`, () => {
  let livekit: TestLiveKit;
  let agent: TestAgent;
  let program: Program;
  let browser: Browser;
  let library: RtcLibrary;
  let who: Who;
  let clip: string;
  let own: Float32Array;
  let source: Float32Array;
  const pages: Page[] = [];

  beforeAll(async () => {
    livekit = await startLiveKit();
    const { url, key, secret } = livekit.at;
    library = await loadRtc(repositoryCache);
    who = await openWho();
    const camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    [own] = (await who.embeddings(camera)) as [Float32Array];
    [source] = (await who.embeddings(await readFrame(astronaut))) as [Float32Array];
    clip = writeClip(camera, 30);
    const cluster = [`url=${url}`, `key=${key}`, `secret=${secret}`].flatMap((one) => ['--set', `livekit.${one}`]);
    [agent, program] = await Promise.all([
      startAgent(livekit.at, single),
      startProgram([...cluster, '--set', 'pipeline.lanes=1', '--set', 'models.warmupRuns=1']),
    ]);
    browser = await launchBrowser(clip);
  }, 180_000);
  afterEach(async () => {
    for (const page of pages.splice(0)) await leave(page);
  });
  afterAll(async () => {
    await browser?.close();
    await program?.stop();
    await agent?.kill();
    await livekit?.stop();
    if (clip !== undefined) rmSync(path.dirname(clip), { recursive: true, force: true });
  }, 60_000);

  async function open(address: string, width = 1280, height = 900): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width, height } })).newPage();
    pages.push(page);
    await page.goto(program.url + address);
    return page;
  }

  /** Leaves a page: a headless browser does not always tell LiveKit of pages closed with their context. */
  async function leave(page: Page): Promise<void> {
    if (page.isClosed()) return;
    await page.goto('about:blank');
    await page.context().close();
  }

  /** Opens the studio and starts its camera. */
  async function startStudio(stream: string): Promise<Page> {
    const page = await open('/');
    await page.waitForSelector('[data-face-id="astronaut"]');
    await page.evaluate((name) => {
      const field = document.querySelector<HTMLInputElement>('#stream')!;
      field.value = name;
      field.dispatchEvent(new Event('change'));
    }, stream);
    await page.selectOption('#resolution', '640x480');
    await page.click('#start');
    return page;
  }

  const live = (page: Page, timeout = 40_000) => page.waitForSelector('body[data-state="live"]', { timeout });
  const isSwapped = (face: Float32Array): boolean => distance(face, source) < distance(face, own);
  const showsSwapped = async (page: Page, selector: string): Promise<boolean> => {
    const [face] = await who.embeddings(await received(page, selector));
    return face !== undefined && isSwapped(face);
  };
  const post = async (address: string): Promise<RoomTicket> =>
    (await (await fetch(`${program.url}/api/cluster/streams/${address}`, { method: 'POST' })).json()) as RoomTicket;

  test('the studio shows the face that a worker swapped, and its settings reach the worker', async () => {
    const page = await startStudio('mirror');
    await live(page);
    await until(() => showsSwapped(page, '#after'), 'the swapped face', 20_000);
    expect(await page.inputValue('#view-address')).toMatch(/\/view\/mirror$/);
    // The worker's statistics, not this server's.
    await page.waitForFunction(() => /\d/.test(document.querySelector('#fps-in')!.textContent ?? ''));
    await page.waitForFunction(() => /\d/.test(document.querySelector('#round-trip')!.textContent ?? ''));
    expect(await page.textContent('#mark-note')).toMatch(/as it comes back to you/);
    const { sessions } = (await (await fetch(`${program.url}/api/status`)).json()) as { sessions: number };
    expect(sessions).toBe(0);
    await page.keyboard.press('p');
    await until(async () => !(await showsSwapped(page, '#after')), 'the camera as it is', 20_000);
    await page.keyboard.press('p');
    await until(() => showsSwapped(page, '#after'), 'the swapped face again', 20_000);
    // A phone's remote control, a stream deck: through the server, and the page shows it.
    const answer = await fetch(`${program.url}/api/streams/mirror/toggle`, { method: 'POST' });
    expect([answer.status, ((await answer.json()) as { on: boolean }).on]).toEqual([200, false]);
    await page.waitForSelector('#on[aria-pressed="false"]');
    await until(async () => !(await showsSwapped(page, '#after')), 'the camera as it is once more', 20_000);
  }, 120_000);

  test('/view shows a stream of the cluster, says that it is modified, and waits for the next publisher', async () => {
    const view = await open('/view/shown', 640, 480);
    await view.waitForSelector('body[data-state="waiting"]');
    const studio = await startStudio('shown');
    await live(studio);
    await live(view);
    await until(() => showsSwapped(view, 'video'), 'the swapped face', 20_000);
    await view.waitForFunction(() => document.title.startsWith('AI face modified'));
    await leave(studio);
    await view.waitForSelector('body[data-state="waiting"]', { timeout: 20_000 });
    const again = await startStudio('shown');
    await live(again);
    await live(view);
  }, 180_000);

  test('a viewer’s token shows the swapped track alone, and opens no camera’s room', async () => {
    const studio = await startStudio('closed');
    await live(studio);
    const { room, token } = await post('closed/viewers');
    expect(room).toBe('closed');
    const viewer = new ViewerOfCluster(library);
    const pictures: Frame[] = [];
    viewer.onPicture = (picture) => {
      if (pictures.length < 40) pictures.push(picture);
    };
    await viewer.join(livekit.at, { room, token });
    await until(() => pictures.length === 40, 'pictures', 30_000);
    await viewer.leave();
    const tracks = [...viewer.announced];
    const rooms = (await livekit.api.rooms()).map(({ name }) => name);
    expect(rooms.some((name) => name.startsWith('closed.in.'))).toBe(true);
    expect(tracks.filter((name) => !/^faceoff-.*\/swapped$/.test(name))).toEqual([]);
    // The token names its room: what a viewer may add to the address opens no other.
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { video: object };
    expect(claims.video).toMatchObject({ room: 'closed', canPublish: false, canSubscribe: true });
    for (const picture of pictures)
      for (const face of await who.embeddings(picture)) expect(isSwapped(face)).toBe(true);
  }, 120_000);

  test('a full cluster tells pages their places, and the first in line goes on by itself', async () => {
    const first = await startStudio('first');
    await live(first);
    const second = await startStudio('second');
    await second.waitForFunction(
      () => document.querySelector('#state')!.textContent === 'All workers are full, place 1',
      undefined,
      { timeout: 30_000 },
    );
    const third = await startStudio('third');
    await third.waitForFunction(
      () => document.querySelector('#state')!.textContent === 'All workers are full, place 2',
      undefined,
      { timeout: 30_000 },
    );
    expect(await second.textContent('#notice-text')).toMatch(/as soon as a worker has room/);
    await leave(first);
    await live(second, 60_000);
    await until(() => showsSwapped(second, '#after'), 'the swapped face', 20_000);
    await third.waitForFunction(
      () => document.querySelector('#state')!.textContent === 'All workers are full, place 1',
      undefined,
      { timeout: 30_000 },
    );
  }, 240_000);

  test('people in a call see each other swapped, and are told of each other', async () => {
    const more = await startAgent(livekit.at, single);
    const join = async (name: string): Promise<Page> => {
      const page = await open('/call/two', 1100, 800);
      await page.waitForSelector('[data-face-id="astronaut"]');
      await page.fill('#who', name);
      await page.click('[data-face-id="astronaut"]');
      await page.click('#join');
      return page;
    };
    const [ann, bob] = [await join('Ann'), await join('Bob')];
    await Promise.all([live(ann), live(bob)]);
    const tile = (name: string, more = ''): string => `.tile[data-name="${name}"]${more}`;
    const seen = { timeout: 30_000, state: 'attached' } as const;
    await ann.waitForSelector(tile('Bob', '[data-live="true"]'), seen);
    await bob.waitForSelector(tile('Ann', '[data-live="true"]'), seen);
    await until(() => showsSwapped(ann, `${tile('Bob')} video`), 'the swapped face of the other', 20_000);
    await ann.waitForFunction(
      (selector) => document.querySelector<HTMLElement>(selector)!.hidden === false,
      `${tile('Bob')} .tile-ai`,
    );
    // A fake microphone beeps.
    const heard = await ann.evaluate(
      (selector) =>
        (document.querySelector<HTMLVideoElement>(selector)!.srcObject as MediaStream).getAudioTracks().length,
      `${tile('Bob')} video`,
    );
    expect(heard).toBe(1);
    await bob.click('#mic');
    await ann.waitForSelector(tile('Bob', '[data-muted="true"]'), seen);
    await bob.click('#mic');
    await ann.waitForSelector(tile('Bob', '[data-muted="false"]'), seen);
    await bob.click('#cam');
    await ann.waitForSelector(tile('Bob', '[data-camera="false"]'), seen);
    await bob.click('#leave');
    await ann.waitForFunction((selector) => document.querySelector(selector) === null, tile('Bob'));
    await more.kill();
  }, 180_000);

  test('a page whose worker is killed goes on with another', async () => {
    const page = await startStudio('moved');
    await live(page);
    const next = await startAgent(livekit.at, single);
    await agent.kill();
    agent = next;
    await pause(1500);
    const before = await page.evaluate(
      () => document.querySelector<HTMLVideoElement>('#after')!.getVideoPlaybackQuality().totalVideoFrames,
    );
    await until(
      async () =>
        (await page.evaluate(
          () => document.querySelector<HTMLVideoElement>('#after')!.getVideoPlaybackQuality().totalVideoFrames,
        )) >
        before + 20,
      'pictures of the other worker',
      40_000,
    );
    await live(page);
    await until(() => showsSwapped(page, '#after'), 'the swapped face', 20_000);
  }, 180_000);
});
