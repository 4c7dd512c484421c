/**
 * The browser extension, loaded into a real Chromium: a page of another origin that knows nothing of FaceOff, and may open
 * no connection, opens a camera and gets the swapped face.
 */

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { BrowserContext, Page, Worker } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXTENSION } from '../../src/config.ts';
import { rgbToFrame } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import { distance } from '../../src/pipeline/face/embed.ts';
import type { SessionStats } from '../../src/shared/messages.ts';
import type { Frame } from '../../src/shared/types.ts';
import { launchWithExtension } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { astronaut, cutFrame, group, readFrame } from '../support/lane.ts';
import { Publisher } from '../support/publisher.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { openWho, type Who } from '../support/who.ts';

const DEVICE = 'faceoff-camera';
/** However busy the machine is, faces are swapped. */
const patient = ['--set', 'pipeline.budgetMs=1000'];

let program: Program;
let site: http.Server;
let context: BrowserContext;
let worker: Worker;
let camera: Frame;
let clip: string;
let who: Who;
let address: string;

/** Chromium has no extensions in some builds; what is tested here then cannot be. */
let isThere = false;

beforeAll(async () => {
  spawnSync(process.execPath, [path.join(root, 'scripts/build-extension.mjs')], { stdio: 'inherit' });
  camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  clip = writeClip(camera, 30);
  who = await openWho();
  program = await startProgram(patient);
  site = http.createServer((_request, answer) => {
    // A strict page, as those of calls are: no connection to anywhere.
    answer.setHeader('content-security-policy', "default-src 'none'; media-src blob:; script-src 'none'");
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><title>A call</title><video autoplay muted playsinline width=640 height=480></video>');
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  const { port } = site.address() as AddressInfo;
  address = `http://localhost:${port}`;
  // As a page of the internet, which Chromium lets nowhere near this machine's own servers.
  const far = [`--ip-address-space-overrides=127.0.0.1:${port}=public`];
  const launched = await launchWithExtension(path.join(root, 'dist/extension'), clip, far);
  isThere = launched !== null;
  if (launched !== null) ({ context, worker } = launched);
}, 120_000);

afterAll(async () => {
  await context?.close();
  site?.close();
  await program?.stop();
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

beforeEach((test) => {
  if (!isThere) test.skip();
});

afterEach(async () => {
  for (const page of context?.pages() ?? []) await page.close();
});

const choose = (patch: object): Promise<void> =>
  worker.evaluate((values) => chrome.storage.local.set(values), { server: program.url, ...patch });

/** Until the browser knows in which pages the scripts belong. */
const registered = (count: number): Promise<void> =>
  until(
    () => worker.evaluate(async (n) => (await chrome.scripting.getRegisteredContentScripts()).length === n, count),
    `${count} scripts to be registered`,
  );

const mayUseCameras = (): Promise<void> => context.grantPermissions(['camera', 'microphone'], { origin: address });

async function open(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

const names = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === 'videoinput').map(({ label, deviceId }) => `${label}|${deviceId}`);
  });

/** Opens a camera as a page does, keeps the stream in the page, and tells what came. */
const getUserMedia = (page: Page, constraints: MediaStreamConstraints) =>
  page.evaluate(async (constraints) => {
    try {
      const stream = await navigator.mediaDevices.getUserMedia(constraints);
      Object.assign(window, { stream });
      const video = document.querySelector('video')!;
      video.srcObject = stream;
      const [track] = stream.getVideoTracks();
      return {
        error: null,
        kinds: stream.getTracks().map(({ kind }) => kind),
        label: track?.label,
        settings: track?.getSettings(),
        constraints: track?.getConstraints(),
      };
    } catch (error) {
      const { name, message } = error as DOMException;
      return { error: `${name}: ${message}` };
    }
  }, constraints);

const inPage = <T>(page: Page, work: (stream: MediaStream) => T): Promise<T> =>
  page.evaluate(`(${String(work)})(window.stream)`) as Promise<T>;

async function shown(page: Page): Promise<Frame> {
  const { width, height, rgba } = await page.evaluate(() => {
    const video = document.querySelector('video')!;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const pen = canvas.getContext('2d')!;
    pen.drawImage(video, 0, 0);
    return {
      width: canvas.width,
      height: canvas.height,
      rgba: [...pen.getImageData(0, 0, canvas.width, canvas.height).data],
    };
  });
  return rgbToFrame(Uint8Array.from(rgba), width, height, 4);
}

/** The first pictures are coarse until the encoder has found its rate. */
async function isSwapped(page: Page): Promise<boolean> {
  const [source] = await who.embeddings(await readFrame(astronaut));
  const [own] = await who.embeddings(camera);
  // A page that is busy shows the first picture later than it has the track.
  await page.waitForFunction(() => document.querySelector('video')!.videoWidth > 0);
  const [face] = await who.embeddings(await shown(page));
  return face !== undefined && distance(face, source!) < distance(face, own!);
}

const sessions = async (): Promise<SessionStats[]> =>
  (await (await fetch(`${program.url}/api/sessions`)).json()) as SessionStats[];
const nobodyLeft = () => until(async () => (await sessions()).length === 0, 'every session to be gone');

test("the extension's id is the one that the server allows", () => {
  expect(new URL(worker.url()).host).toBe(new URL(EXTENSION).host);
});

test('a page without permission sees no virtual camera', async () => {
  await choose({ sites: [] });
  await mayUseCameras();
  const page = await open();
  await getUserMedia(page, { video: true });
  expect((await names(page)).join()).not.toContain('FaceOff');
  expect(await page.evaluate(() => MediaDevices.prototype.getUserMedia.toString())).toContain('[native code]');
  await page.close();
});

describe('a page with permission', () => {
  beforeAll(async () => {
    if (!isThere) return;
    await choose({ sites: ['http://localhost/*'] });
    await registered(2);
    await context.clearPermissions();
  });

  test('gets no answer before the person granted a camera', async () => {
    const page = await open();
    const answer = await page.evaluate(async () => {
      const answered = new Promise((resolve) => document.addEventListener('faceoff-answer', resolve));
      const detail = JSON.stringify({ id: 1, ask: { do: 'open', sdp: 'v=0' } });
      document.dispatchEvent(new CustomEvent('faceoff-ask', { detail }));
      return ((await answered) as CustomEvent<string>).detail;
    });
    expect(JSON.parse(answer)).toMatchObject({ answer: { ok: false, message: 'The page may not use a camera.' } });
    await page.close();
  });

  test('lists the camera by name only once a camera is granted, and gets the swapped face', async () => {
    const page = await open();
    expect(await names(page)).toEqual(['|']);
    await mayUseCameras();
    const plain = await getUserMedia(page, { video: true });
    expect(plain.settings!.deviceId).not.toBe(DEVICE);
    await inPage(page, (stream) => {
      for (const track of stream.getTracks()) track.stop();
    });
    expect(await sessions()).toEqual([]);
    expect((await names(page)).at(-1)).toBe(`FaceOff Camera|${DEVICE}`);

    const constraints = {
      video: { deviceId: { exact: DEVICE }, width: { ideal: 640 }, height: { ideal: 480 } },
      audio: true,
    };
    const got = await getUserMedia(page, constraints);
    expect(got).toMatchObject({ error: null, kinds: ['audio', 'video'], label: 'FaceOff Camera' });
    expect(got.settings).toMatchObject({ deviceId: DEVICE, width: 640, height: 480 });
    expect(got.constraints).toEqual(constraints.video);
    await until(() => isSwapped(page), 'the swapped face', 20_000);
    expect(await sessions()).toHaveLength(1);

    // A clone keeps the session; the stop of the last track ends it.
    await inPage(page, (stream) => {
      Object.assign(window, { copy: stream.clone() });
      for (const track of stream.getTracks()) track.stop();
      document.querySelector('video')!.srcObject = (window as never as { copy: MediaStream }).copy;
    });
    const frames = () =>
      page.evaluate(() => document.querySelector('video')!.getVideoPlaybackQuality().totalVideoFrames);
    await page.waitForTimeout(500);
    const before = await frames();
    await until(async () => (await frames()) > before + 5, 'pictures of the clone');
    expect(await sessions()).toHaveLength(1);
    await page.evaluate(() => {
      for (const track of (window as never as { copy: MediaStream }).copy.getTracks()) track.stop();
    });
    await nobodyLeft();
    await page.close();
  }, 60_000);

  test('leaves no session behind when it is closed', async () => {
    const page = await open();
    expect((await getUserMedia(page, { video: { deviceId: DEVICE } })).error).toBeNull();
    expect(await sessions()).toHaveLength(1);
    await page.close();
    await nobodyLeft();
  }, 30_000);

  test("gets a camera's errors for impossible constraints", async () => {
    const page = await open();
    const constraints = { video: { deviceId: { exact: DEVICE }, width: { exact: 99_999 } } };
    expect((await getUserMedia(page, constraints)).error).toMatch(/^OverconstrainedError/);
    expect((await getUserMedia(page, {})).error).toMatch(/^TypeError/);
    await page.close();
  });

  test('gets the chosen face, and this camera by default where the person set that', async () => {
    await choose({ always: true, face: 'nobody-has-this' });
    const page = await open();
    expect((await getUserMedia(page, { video: true })).error).toMatch(/^NotReadableError: There is no face/);
    await choose({ face: 'astronaut' });
    expect((await getUserMedia(page, { video: true })).settings!.deviceId).toBe(DEVICE);
    expect((await getUserMedia(page, { audio: true })).kinds).toEqual(['audio']);
    await choose({ always: false, face: '' });
    await page.close();
    await nobodyLeft();
  }, 30_000);

  test("gets the studio's stream where the person set that", async () => {
    const publisher = new Publisher();
    publisher.play({ width: 640, height: 480 }, [camera.data], 20);
    expect((await publisher.whip(program.url, '?stream=stage')).status).toBe(201);
    await until(() => publisher.received.length > 5, 'pictures to come back');
    await choose({ mode: 'stream', stream: 'stage' });
    const page = await open();
    const got = await getUserMedia(page, { video: { deviceId: { exact: DEVICE } } });
    expect(got).toMatchObject({ error: null, kinds: ['video'], settings: { width: 640, height: 480 } });
    await until(() => isSwapped(page), 'the swapped face', 20_000);
    expect(await sessions()).toHaveLength(1);
    publisher.close();
    await choose({ mode: 'camera' });
    await page.close();
  }, 60_000);

  test('keeps its track when the server goes and comes back', async () => {
    const page = await open();
    expect((await getUserMedia(page, { video: { deviceId: { exact: DEVICE } } })).error).toBeNull();
    program.child.kill('SIGKILL');
    program = await startProgram(['--port', new URL(program.url).port, ...patient]);
    await until(async () => (await sessions()).some(({ swapped }) => swapped > 20), 'the swap to be back', 30_000);
    await until(() => isSwapped(page), 'the swapped face', 20_000);
    expect(await inPage(page, (stream) => stream.getVideoTracks()[0]!.readyState)).toBe('live');
    await page.close();
    await nobodyLeft();
  }, 60_000);

  test('reaches a locked server by a token that the page never sees', async () => {
    const { url } = program;
    const token = 'a-token-that-nobody-guesses';
    const locked = await startProgram(['--set', `server.token=${token}`]);
    await choose({ server: locked.url, token: 'another-one-altogether' });
    const page = await open();
    const constraints = { video: { deviceId: { exact: DEVICE } } };
    expect((await getUserMedia(page, constraints)).error).toMatch(/^NotReadableError: That is not the token/);
    await choose({ server: locked.url, token });
    const detail = page.evaluate(
      () =>
        new Promise<string>((resolve) => {
          document.addEventListener('faceoff-answer', (event) => {
            const text = (event as CustomEvent<string>).detail;
            if (text.includes('sdp')) resolve(text);
          });
        }),
    );
    expect((await getUserMedia(page, constraints)).error).toBeNull();
    const told = await detail;
    for (const secret of [token, locked.url]) expect(told).not.toContain(secret);
    await page.close();
    await choose({ server: url, token: '' });
    await locked.stop();
  }, 30_000);

  test('gets an error that names the server when the server does not answer', async () => {
    const { url } = program;
    await choose({ server: 'http://127.0.0.1:9' });
    const page = await open();
    const { error } = await getUserMedia(page, { video: { deviceId: { exact: DEVICE } } });
    expect(error).toMatch(/^NotReadableError: The FaceOff server at http:\/\/127.0.0.1:9 does not answer/);
    await choose({ server: url });
    await page.close();
  }, 30_000);
});

test('the popup lists the faces and grants its page the camera', async () => {
  await choose({ sites: [] });
  await registered(0);
  const page = await open();
  // A popup has no window here, so its page is opened as a tab and told which tab it is for.
  const popup = await context.newPage();
  await popup.addInitScript(() => {
    const query = chrome.tabs.query.bind(chrome.tabs);
    const other = async () => (await query({})).filter(({ url }) => url?.startsWith('http://localhost'));
    Object.assign(chrome.tabs, { query: other });
  });
  await popup.goto(`${EXTENSION}/popup.html`);
  await popup.waitForSelector('option[value="astronaut"]', { state: 'attached' });
  expect(await popup.textContent('#site-label')).toBe('Use on localhost');
  expect(await popup.inputValue('#origin')).toBe(EXTENSION);
  await popup.check('#site');
  await registered(2);
  await popup.waitForSelector('text=The page has a FaceOff camera now.');
  // The page was open before: the camera came to it without a reload.
  const { error } = await getUserMedia(page, { video: { deviceId: { exact: DEVICE } } });
  expect(error).toBeNull();
  await page.close();
  await nobodyLeft();
}, 30_000);
