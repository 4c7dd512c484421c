/** The page people open, in a real Chromium, against the program people start: the picture itself is looked at. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distance } from '../../src/pipeline/face/embed.ts';
import type { Frame } from '../../src/shared/types.ts';
import { launchBrowser, openStudio, startStudio } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { astronaut, cutFrame, group, readFrame } from '../support/lane.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { openWho, type Who } from '../support/who.ts';
import { received } from './picture.ts';

let program: Program;
let browser: Browser;
let camera: Frame;
let clip: string;
let who: Who;

beforeAll(async () => {
  who = await openWho();
  camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  clip = writeClip(camera, 30);
  program = await startProgram();
  browser = await launchBrowser(clip);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await program?.stop();
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

interface Status {
  sessions: number;
  peers: number;
  laneSessions: number;
}
const status = async (): Promise<Status> => (await (await fetch(`${program.url}/api/status`)).json()) as Status;
const nobodyLeft = () =>
  until(async () => {
    const { sessions, peers, laneSessions } = await status();
    return sessions + peers + laneSessions === 0;
  }, 'every session to be gone');

describe('the swapped picture', () => {
  let page: Page;
  beforeAll(async () => {
    page = await startStudio(browser, program.url);
  });
  afterAll(() => page.close());

  test("shows a face that is nearer to the source than to the camera's", async () => {
    const [source] = await who.embeddings(await readFrame(astronaut));
    const [own] = await who.embeddings(camera);
    // The first pictures are coarse until the encoder has found its rate.
    await until(
      async () => {
        const [shown] = await who.embeddings(await received(page));
        return shown !== undefined && distance(shown, source!) < distance(shown, own!);
      },
      'a face that is nearer to the source',
      20_000,
    );
  });

  test('leaves the background as it was, within what a codec does', async () => {
    await until(async () => (await cornersDiffer()) < 6, 'a background as the camera has it', 20_000);
  });

  /** Mean difference of luma from the camera, in the lower corners. */
  async function cornersDiffer(): Promise<number> {
    const { width, height, data } = await received(page);
    expect([width, height]).toEqual([640, 480]);
    let [sum, n] = [0, 0];
    // The lower corners are far from the face.
    for (let y = 380; y < 480; y++) {
      for (const x of [...Array(100).keys(), ...Array.from({ length: 100 }, (_, i) => 540 + i)]) {
        sum += Math.abs(data[y * width + x]! - camera.data[y * width + x]!);
        n++;
      }
    }
    return sum / n;
  }

  test('follows a change of the face, and never stops', async () => {
    const [own] = await who.embeddings(camera);
    await page.click('[data-face-id=""]');
    await until(
      async () => {
        const [bare] = await who.embeddings(await received(page));
        return bare !== undefined && distance(bare, own!) < 0.3;
      },
      "the camera's own face",
      20_000,
    );
    await page.click('[data-face-id="astronaut"]');
    const [source] = await who.embeddings(await readFrame(astronaut));
    await until(
      async () => {
        const [shown] = await who.embeddings(await received(page));
        return shown !== undefined && distance(shown, source!) < distance(shown, own!);
      },
      "the source's face",
      20_000,
    );
    expect(await page.getAttribute('body', 'data-state')).toBe('live');
    expect((await status()).sessions).toBe(1);
  });

  test('comes with live figures', async () => {
    await until(async () => Number(await page.textContent('#fps-out')) > 5, 'a frame rate');
    expect(Number(await page.textContent('#frame-p50'))).toBeGreaterThan(0);
    // The verdict comes once a second, and only when three of four agree.
    await until(async () => /\d.*\.$/.test((await page.textContent('#verdict')) ?? ''), 'a verdict with figures');
    expect(await page.isVisible('#preflight')).toBe(false);
  });
});

test('before Start the page says what the machine can hold', async () => {
  const page = await openStudio(browser, program.url);
  await page.waitForSelector('#preflight:not([hidden])');
  expect(await page.textContent('#preflight')).toMatch(/^This machine .*\.$/);
  expect(await page.textContent('#verdict')).toMatch(/Once you are live/);
  await page.close();
});

describe('a session leaves nothing behind', () => {
  test('when Stop is pressed', async () => {
    const page = await startStudio(browser, program.url);
    await page.click('#stop');
    await nobodyLeft();
    await page.close();
  });

  test('when the page is closed', async () => {
    const page = await startStudio(browser, program.url);
    expect((await status()).sessions).toBe(1);
    await page.close();
    await nobodyLeft();
  });

  test('when the browser is killed, and the next one works', async () => {
    const other = await launchBrowser(clip);
    const page = await other.newPage();
    await page.goto(program.url);
    await page.click('#start');
    await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
    await other.close();
    await nobodyLeft();
    const next = await startStudio(browser, program.url);
    await next.close();
    await nobodyLeft();
  });
});

test('the page says what to do where the camera is not allowed', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  });
  await page.goto(program.url);
  await page.click('#start');
  await page.waitForSelector('body[data-state="failed"]');
  expect(await page.textContent('body')).toMatch(/not allowed|Allow/);
  await context.close();
});

test('a camera that is busy, is lost while it is listed, or gives no pictures is told, and goes on by itself', async () => {
  const context = await browser.newContext({ permissions: ['camera'] });
  await context.addInitScript(() => {
    const camera = { isBusy: true, track: null as MediaStreamTrack | null, isMuted: false };
    Object.assign(window, { camera });
    const devices = navigator.mediaDevices;
    const open = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      if (camera.isBusy) throw new DOMException('busy', 'NotReadableError');
      const stream = await open(wanted);
      camera.track = stream.getVideoTracks()[0]!;
      Object.defineProperty(camera.track, 'muted', { get: () => camera.isMuted });
      return stream;
    };
  });
  const page = await context.newPage();
  await page.goto(program.url);
  await page.waitForSelector('[data-face-id="astronaut"]');
  await page.click('#start');
  await page.waitForSelector('body[data-reason="busy"]');
  const act = (what: 'free' | 'lose' | 'mute' | 'unmute') =>
    page.evaluate((what) => {
      const { camera } = window as unknown as {
        camera: { isBusy: boolean; isMuted: boolean; track: MediaStreamTrack };
      };
      camera.isBusy = what === 'lose';
      camera.isMuted = what === 'mute';
      if (what === 'lose') camera.track.stop();
      if (what === 'lose') camera.track.dispatchEvent(new Event('ended'));
      if (what === 'mute' || what === 'unmute') camera.track.dispatchEvent(new Event(what));
    }, what);
  const live = () => page.waitForSelector('body[data-state="live"]', { timeout: 20_000 });
  await act('free');
  await live();
  await act('lose');
  await page.waitForSelector('body[data-reason="unplugged"]');
  await act('free');
  await live();
  await act('mute');
  await page.waitForSelector('#remark:has-text("The camera sends no pictures")');
  await act('unmute');
  await page.waitForFunction(() => !document.querySelector('#remark')!.textContent!.includes('sends no pictures'));
  await context.close();
});

test('a phone keeps its screen on, and gets its camera back after it was locked', async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 800 } });
  await context.addInitScript(() => {
    const phone = { isLocked: false, locks: 0, lock: () => undefined as unknown };
    Object.assign(window, { phone });
    Object.defineProperty(document, 'hidden', { get: () => phone.isLocked });
    const locks = navigator.wakeLock;
    Object.defineProperty(navigator, 'wakeLock', {
      value: {
        request: (kind: 'screen') => {
          phone.locks++;
          return locks.request(kind);
        },
      },
    });
    const devices = navigator.mediaDevices;
    const open = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
      if (phone.isLocked) throw new DOMException('locked', 'NotReadableError');
      const stream = await open(wanted);
      const [track] = stream.getVideoTracks();
      phone.lock = () => {
        phone.isLocked = true;
        track!.stop();
        track!.dispatchEvent(new Event('ended'));
      };
      return stream;
    };
  });
  const page = await context.newPage();
  await page.goto(program.url);
  await page.waitForSelector('[data-face-id="astronaut"]');
  await page.click('#start');
  await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
  const phone = (act: 'lock' | 'unlock' | 'locks') =>
    page.evaluate((act) => {
      const { phone } = window as unknown as { phone: { isLocked: boolean; locks: number; lock(): void } };
      if (act === 'lock') phone.lock();
      if (act === 'unlock') phone.isLocked = false;
      if (act !== 'locks') document.dispatchEvent(new Event('visibilitychange'));
      return phone.locks;
    }, act);
  expect(await phone('locks')).toBeGreaterThan(0);
  await phone('lock');
  await page.waitForSelector('body[data-reason="unplugged"]');
  await phone('unlock');
  await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
  await context.close();
});

test('a face is added only after consent was given', async () => {
  const page = await openStudio(browser, program.url);
  const before = await page.locator('[data-face-id]').count();
  await page.setInputFiles('#file', astronaut);
  await page.waitForSelector('dialog[open]');
  expect(await page.isChecked('#consent')).toBe(false);
  await page.press('#name', 'Enter');
  await page.waitForTimeout(300);
  expect(await page.locator('[data-face-id]').count()).toBe(before);
  await page.check('#consent');
  await page.click('#save');
  await page.waitForFunction((many) => document.querySelectorAll('[data-face-id]').length > many, before);
  await page.close();
});
