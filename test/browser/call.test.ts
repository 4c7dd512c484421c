/** Two people in a call, in real browsers with different cameras, against the program people start. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';
import { distance, SAME_PERSON } from '../../src/pipeline/face/embed.ts';
import type { Frame } from '../../src/shared/types.ts';
import { launchBrowser } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { astronaut, cutFrame, group, readFrame } from '../support/lane.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { openWho, type Who } from '../support/who.ts';
import { received } from './picture.ts';

const demo = (name: string): string => path.join(root, 'node_modules/@vladmandic/face-api/demo', name);
const stranger = { left: 1067, top: 280, width: 400, height: 400 };

let program: Program;
let who: Who;
let cameras: { ann: Frame; bob: Frame };
let clips: string[];
let ann: Browser;
let bob: Browser;
/** Id of the face that Bob wears, and the embeddings of all faces here. */
let other: string;
let faces: { astronaut: Float32Array; other: Float32Array; ann: Float32Array; bob: Float32Array };

beforeAll(async () => {
  who = await openWho();
  cameras = {
    ann: await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480),
    bob: await cutFrame(demo('sample5.jpg'), { left: 240, top: 850, width: 460, height: 345 }, 640, 480),
  };
  clips = [writeClip(cameras.ann, 30), writeClip(cameras.bob, 30)];
  program = await startProgram(['--set', 'limits.roomPeople=2']);
  const portrait = await sharp(demo('sample6.jpg')).extract(stranger).jpeg().toBuffer();
  const body = new FormData();
  body.append('name', 'Stranger');
  body.append('consent', 'true');
  body.append('file', new Blob([new Uint8Array(portrait)], { type: 'image/jpeg' }), 'stranger.jpg');
  const answer = await fetch(`${program.url}/api/faces`, { method: 'POST', body });
  other = ((await answer.json()) as { id: string }).id;
  const one = async (frame: Frame): Promise<Float32Array> => (await who.embeddings(frame))[0]!;
  faces = {
    astronaut: await one(await readFrame(astronaut)),
    other: await one(await cutFrame(demo('sample6.jpg'), stranger, 400, 400)),
    ann: await one(cameras.ann),
    bob: await one(cameras.bob),
  };
  ann = await launchBrowser(clips[0]);
  bob = await launchBrowser(clips[1]);
}, 120_000);

afterAll(async () => {
  await ann?.close();
  await bob?.close();
  await program?.stop();
  for (const clip of clips ?? []) rmSync(path.dirname(clip), { recursive: true, force: true });
});

async function open(browser: Browser | BrowserContext, room: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1100, height: 800 } } as never);
  await page.goto(`${program.url}/call/${room}`);
  await page.waitForSelector('[data-face-id="astronaut"]');
  return page;
}

async function join(page: Page, name: string, face: string): Promise<void> {
  await page.fill('#who', name);
  await page.click(`[data-face-id="${face}"]`);
  await page.click('#join');
  await page.waitForSelector('body[data-state="live"]', { timeout: 25_000 });
}

const tile = (name: string, more = ''): string => `.tile[data-name="${name}"]${more}`;
const seen = (page: Page, name: string) =>
  page.waitForSelector(tile(name, '[data-live="true"]'), { timeout: 25_000, state: 'attached' });

/** What a page shows of a person, as I420. */
const picture = (page: Page, name: string): Promise<Frame> => received(page, `${tile(name)} video`);

/** The loudest that is heard of a person within a while, 0..1; the wait ends early at what is loud enough. */
function loudest(page: Page, name: string, ms: number, enough = Number.POSITIVE_INFINITY): Promise<number> {
  return page.evaluate(
    async ([selector, ms, enough]) => {
      const video = document.querySelector<HTMLVideoElement>(`${selector} video`)!;
      const audio = new AudioContext();
      const ear = audio.createAnalyser();
      audio.createMediaStreamSource(video.srcObject as MediaStream).connect(ear);
      const samples = new Float32Array(ear.fftSize);
      let loudest = 0;
      for (let i = 0; i < ms / 20 && loudest <= enough; i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        ear.getFloatTimeDomainData(samples);
        for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
      }
      await audio.close();
      return loudest;
    },
    [tile(name), ms, enough] as const,
  );
}

interface Status {
  sessions: number;
  peers: number;
  rooms: number;
}
const status = async (): Promise<Status> => (await (await fetch(`${program.url}/api/status`)).json()) as Status;

describe('a call between two people', () => {
  let [a, b] = [null as unknown as Page, null as unknown as Page];
  beforeAll(async () => {
    [a, b] = [await open(ann, 'two'), await open(bob, 'two')];
    await join(a, 'Ann', 'astronaut');
    await join(b, 'Bob', other);
    await Promise.all([seen(a, 'Bob'), seen(b, 'Ann')]);
  }, 90_000);
  afterAll(async () => {
    await a.close();
    await b.close();
    await until(async () => (await status()).peers === 0, 'everything to be gone');
    expect(await status()).toMatchObject({ sessions: 0, rooms: 0 });
  });

  test('shows each person with the face that the person chose', async () => {
    // The first pictures are coarse until the encoders have found their rate.
    const wears = (page: Page, name: string, worn: Float32Array, others: Float32Array[]): Promise<void> =>
      until(
        async () => {
          const [shown] = await who.embeddings(await picture(page, name));
          return shown !== undefined && others.every((one) => distance(shown, worn) < distance(shown, one));
        },
        `${name} with the face that was chosen`,
        30_000,
      );
    await wears(b, 'Ann', faces.astronaut, [faces.ann, faces.other]);
    await wears(a, 'Bob', faces.other, [faces.bob, faces.astronaut]);
  });

  test("plays the other person's voice, not the own one, and marks the speaker", async () => {
    expect(await loudest(a, 'Bob', 10_000, 0.02)).toBeGreaterThan(0.02);
    expect(await loudest(b, 'Ann', 10_000, 0.02)).toBeGreaterThan(0.02);
    const own = await a.evaluate(() => {
      const video = document.querySelector<HTMLVideoElement>('.tile.own video')!;
      return [video.muted, (video.srcObject as MediaStream).getAudioTracks().length];
    });
    expect(own).toEqual([true, 0]);
    await a.waitForSelector(tile('Bob', '[data-speaking="true"]'), { state: 'attached' });
  });

  test('marks a muted microphone and plays nothing of it', async () => {
    await b.click('#mic');
    await a.waitForSelector(tile('Bob', '[data-muted="true"][data-speaking="false"]'), { state: 'attached' });
    await a.waitForTimeout(1000);
    expect(await loudest(a, 'Bob', 2000)).toBeLessThan(0.01);
    await b.click('#mic');
    await a.waitForSelector(tile('Bob', '[data-muted="false"]'), { state: 'attached' });
    expect(await loudest(a, 'Bob', 10_000, 0.02)).toBeGreaterThan(0.02);
  });

  test('marks a camera that is off and shows its picture once it is on again', async () => {
    await b.click('#cam');
    await a.waitForSelector(tile('Bob', '[data-camera="false"]'), { state: 'attached' });
    await b.click('#cam');
    await a.waitForSelector(tile('Bob', '[data-camera="true"]'), { state: 'attached' });
    await until(async () => {
      const [shown] = await who.embeddings(await picture(a, 'Bob'));
      return shown !== undefined && distance(shown, faces.other) < distance(shown, faces.bob);
    }, 'the picture');
  });

  test('tells a third person that the call is full', async () => {
    const page = await open(ann, 'two');
    await page.fill('#who', 'Cora');
    await page.click('#join');
    await page.waitForSelector('body[data-state="failed"]');
    expect(await page.textContent('#notice-text')).toBe('All 2 places in this call are taken. Try again later.');
    await page.close();
    expect((await status()).sessions).toBe(2);
  });

  test('takes a person back under the same name after the page crashed', async () => {
    await b.close();
    await a.waitForSelector(tile('Bob'), { state: 'detached' });
    b = await open(bob, 'two');
    await join(b, 'Bob', other);
    await Promise.all([seen(a, 'Bob'), seen(b, 'Ann')]);
    expect((await status()).sessions).toBe(2);
  });

  test('gives a person the same place after the page was reloaded', async () => {
    await b.reload();
    await b.waitForSelector('[data-face-id="astronaut"]');
    expect(await b.inputValue('#who')).toBe('Bob');
    await b.click('#join');
    await b.waitForSelector('body[data-state="live"]', { timeout: 25_000 });
    await seen(a, 'Bob');
    expect((await status()).sessions).toBe(2);
  });

  test('removes a person at once whose browser was killed, and takes the person back', async () => {
    await bob.close();
    await a.waitForSelector(tile('Bob'), { state: 'detached' });
    bob = await launchBrowser(clips[1]);
    b = await open(bob, 'two');
    await join(b, 'Bob', other);
    await seen(a, 'Bob');
  }, 60_000);

  test('removes a person who leaves and keeps the other', async () => {
    await b.click('#leave');
    await a.waitForSelector(tile('Bob'), { state: 'detached' });
    expect(await a.getAttribute('body', 'data-state')).toBe('live');
    expect(await b.textContent('#notice-title')).toBe('You left the call');
  });
});

test('a guarded person without a chosen face is not shown until the guard is switched off', async () => {
  const [a, b] = [await open(ann, 'guarded'), await open(bob, 'guarded')];
  expect(await a.isChecked('#guarded')).toBe(true);
  await join(a, 'Ann', '');
  await join(b, 'Bob', 'astronaut');
  await seen(b, 'Ann');
  await b.waitForTimeout(1500);
  expect(await who.embeddings(await picture(b, 'Ann'))).toEqual([]);
  expect(await a.textContent('#remark')).toContain('Choose a face');
  // A face is chosen, and taken off again: the last swapped picture stays.
  await a.click('[data-face-id="astronaut"]');
  const isSwapped = async (): Promise<boolean> => {
    const [shown] = await who.embeddings(await picture(b, 'Ann'));
    return shown !== undefined && distance(shown, faces.astronaut) < distance(shown, faces.ann);
  };
  await until(isSwapped, 'the swap');
  await a.click('[data-face-id=""]');
  await b.waitForTimeout(1500);
  expect(await isSwapped()).toBe(true);
  // Only when they say so are they seen.
  await a.uncheck('#guarded');
  await until(async () => {
    const [shown] = await who.embeddings(await picture(b, 'Ann'));
    return shown !== undefined && distance(shown, faces.ann) < SAME_PERSON;
  }, 'the real face');
  await a.close();
  await b.close();
}, 90_000);

test('a second person with the same name is refused with the reason', async () => {
  const [a, b] = [await open(ann, 'names'), await open(bob, 'names')];
  await join(a, 'Ann', 'astronaut');
  await b.fill('#who', ' ann ');
  await b.click('#join');
  await b.waitForSelector('body[data-state="failed"]');
  expect(await b.textContent('#notice-text')).toMatch(/^Somebody called ann is in this call/);
  await a.close();
  await b.close();
});

test('a call works without a microphone and without a camera', async () => {
  const context = await ann.newContext({ viewport: { width: 1100, height: 800 } });
  await context.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = ({ audio }: MediaStreamConstraints = {}) =>
      Promise.reject(new DOMException('none', audio ? 'NotFoundError' : 'NotAllowedError'));
  });
  const page = await open(context, 'bare');
  await join(page, 'Ann', 'astronaut');
  expect(await page.textContent('#toast')).toContain('No microphone found');
  expect(await page.getAttribute(tile('Ann'), 'data-camera')).toBe('false');
  expect(await page.getAttribute(tile('Ann'), 'data-muted')).toBe('true');
  await context.close();
});

test('a camera that is unplugged is off for the others, and on again once it is plugged in, and no other one', async () => {
  const context = await bob.newContext({ viewport: { width: 1100, height: 800 } });
  // The camera of this page: `unplug` takes it away, and `listed` is what is there then.
  await context.addInitScript(() => {
    const devices = navigator.mediaDevices;
    const open = devices.getUserMedia.bind(devices);
    const list = devices.enumerateDevices.bind(devices);
    const desk = { listed: null as object[] | null, opened: 0, unplug: () => undefined as unknown };
    Object.assign(window, { desk });
    devices.enumerateDevices = async () => (desk.listed as MediaDeviceInfo[] | null) ?? list();
    devices.getUserMedia = async (wanted) => {
      const stream = await open(wanted);
      const [track] = stream.getVideoTracks();
      if (track === undefined) return stream;
      desk.opened++;
      desk.unplug = () => {
        track.stop();
        track.dispatchEvent(new Event('ended'));
      };
      return stream;
    };
  });
  const [a, b] = [await open(ann, 'lens'), await open(context, 'lens')];
  await join(a, 'Ann', 'astronaut');
  await join(b, 'Bob', 'astronaut');
  await seen(a, 'Bob');
  const opened = () => b.evaluate(() => (window as unknown as { desk: { opened: number } }).desk.opened);
  const before = await opened();
  /** @param listed cameras that are there; null for all of them. */
  const change = (listed: object[] | null, unplugs = false) =>
    b.evaluate(
      ([there, gone]) => {
        const { desk } = window as unknown as { desk: { listed: object[] | null; unplug(): void } };
        desk.listed = there;
        if (gone) desk.unplug();
        else navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
      },
      [listed, unplugs] as const,
    );
  await change([], true);
  await b.waitForFunction(() => document.querySelector('#toast')!.textContent!.includes('The camera is gone'));
  await b.waitForSelector('#cam[aria-pressed="false"]');
  await change([{ kind: 'videoinput', deviceId: 'another', label: 'Another', groupId: '' }]);
  expect(await opened()).toBe(before);
  await change(null);
  await b.waitForSelector('#cam[aria-pressed="true"]');
  expect(await opened()).toBe(before + 1);
  await seen(a, 'Bob');
  await a.close();
  await context.close();
});

test('a microphone that is unplugged is replaced by another one, or by the one that is plugged in later', async () => {
  const context = await bob.newContext({ viewport: { width: 1100, height: 800 } });
  // The microphones of this page: `unplug` takes the open one away, and `plugged` says whether there are others.
  await context.addInitScript(() => {
    const devices = navigator.mediaDevices;
    const open = devices.getUserMedia.bind(devices);
    const desk = { plugged: true, unplug: () => undefined as unknown };
    Object.assign(window, { desk });
    devices.getUserMedia = async (wanted) => {
      if (wanted?.audio && !desk.plugged) throw new DOMException('none', 'NotFoundError');
      const stream = await open(wanted);
      const [track] = stream.getAudioTracks();
      desk.unplug = () => {
        track?.stop();
        track?.dispatchEvent(new Event('ended'));
      };
      return stream;
    };
  });
  const [a, b] = [await open(ann, 'desk'), await open(context, 'desk')];
  await join(a, 'Ann', 'astronaut');
  await join(b, 'Bob', 'astronaut');
  await seen(a, 'Bob');
  const unplug = (others: boolean) =>
    b.evaluate((plugged) => {
      const { desk } = window as unknown as { desk: { plugged: boolean; unplug(): void } };
      desk.plugged = plugged;
      desk.unplug();
    }, others);
  const isHeard = async () => expect(await loudest(a, 'Bob', 15_000, 0.02)).toBeGreaterThan(0.02);

  await unplug(true);
  await b.waitForFunction(() => document.querySelector('#toast')!.textContent!.includes('Going on with'));
  await isHeard();

  await unplug(false);
  await a.waitForSelector(tile('Bob', '[data-muted="true"]'), { state: 'attached' });
  expect(await b.textContent('#toast')).toContain('the others do not hear you');
  await b.evaluate(() => {
    (window as unknown as { desk: { plugged: boolean } }).desk.plugged = true;
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
  await a.waitForSelector(tile('Bob', '[data-muted="false"]'), { state: 'attached' });
  await isHeard();
  await a.close();
  await context.close();
}, 90_000);

test('a call address with an invalid room name is not found', async () => {
  const get = (at: string) => fetch(`${program.url}${at}`, { redirect: 'manual' });
  expect((await get('/call/fine_NAME-1')).status).toBe(200);
  expect((await get('/call/no%20room')).status).toBe(404);
  expect((await get(`/call/${'x'.repeat(65)}`)).status).toBe(404);
  const fresh = await get('/call');
  expect([fresh.status, fresh.headers.get('location')]).toEqual([302, expect.stringMatching(/^\/call\/[\w-]{8}$/)]);
});

test('a call page asks for the token of a locked server', async () => {
  const locked = await startProgram(['--set', 'swap.engine=none', '--set', 'server.token=a-token-that-nobody-guesses']);
  const page = await ann.newPage();
  await page.goto(`${locked.url}/call/two`);
  await page.waitForSelector('#token');
  expect(await page.locator('#join').count()).toBe(0);
  await page.fill('#token', 'a-token-that-nobody-guesses');
  await page.press('#token', 'Enter');
  await page.waitForSelector('#join');
  await page.waitForSelector('#share-token', { state: 'visible' });
  await page.close();
  await locked.stop();
});
