/** The page for OBS, in a real Chromium, against the program people start: the picture itself is looked at. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { Publisher } from '../support/publisher.ts';
import { type Program, startProgram, until } from '../support/server.ts';

/** The pictures here show no face, so that none has to be put on. */
const faceless = ['--set', 'swap.engine=none'];
let browser: Browser;
let program: Program;
let cameras: Publisher[] = [];

beforeAll(async () => {
  program = await startProgram(faceless);
  browser = await launchBrowser();
}, 120_000);
afterAll(async () => {
  for (const camera of cameras) camera.close();
  await browser?.close();
  await program?.stop();
});

async function publish(stream: string, headers: Record<string, string> = {}, hums = false): Promise<Publisher> {
  const camera = new Publisher();
  cameras.push(camera);
  if (hums) camera.hum();
  camera.send(320, 240);
  expect((await camera.whip(program.url, `?stream=${stream}`, headers)).status).toBe(201);
  await until(() => camera.received.length > 0, 'pictures to come back');
  return camera;
}

/** Ends the stream on purpose, as a publisher does that stops. */
async function unpublish(camera: Publisher): Promise<void> {
  await fetch(camera.location, { method: 'DELETE' });
  camera.close();
  cameras = cameras.filter((one) => one !== camera);
}

async function open(path: string): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width: 640, height: 480 } })).newPage();
  await page.goto(program.url + path);
  return page;
}

/** Leaves a page: a headless browser does not always send the last requests of pages closed with their context. */
async function leave(page: Page): Promise<void> {
  await page.goto('about:blank');
  await page.context().close();
}

const state = (page: Page, wanted: string, timeout = 15_000) =>
  page.waitForSelector(`body[data-state="${wanted}"]`, { timeout });

/** Waits until the page was refused as there is no publisher. */
const refused = (page: Page) => page.waitForResponse((response) => response.status() === 409);

/** The middle of what is on the screen, as red, green, blue and opacity. */
async function colour(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const video = document.querySelector('video')!;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 48];
    const context = canvas.getContext('2d')!;
    context.globalAlpha = Number(getComputedStyle(video).opacity);
    context.drawImage(video, 0, 0, 64, 48);
    return [...context.getImageData(32, 24, 1, 1).data];
  });
}
const isBluish = ([red, , blue, opacity]: number[]): boolean => opacity === 255 && blue! > 150 && blue! > red! + 60;

describe('the view page', () => {
  test('shows a publisher that comes later, hides it when it goes and shows the next one', async () => {
    const page = await open('/view/early');
    await refused(page);
    expect(await page.getAttribute('body', 'data-state')).toBe('waiting');
    expect((await colour(page))[3]).toBe(0);
    const camera = await publish('early');
    await state(page, 'live');
    expect(isBluish(await colour(page))).toBe(true);
    await unpublish(camera);
    await state(page, 'waiting');
    expect((await colour(page))[3]).toBe(0);
    const begunMs = performance.now();
    const next = await publish('early');
    await state(page, 'live');
    console.log(`the next publisher was seen after ${Math.round(performance.now() - begunMs)} ms`);
    expect(isBluish(await colour(page))).toBe(true);
    await unpublish(next);
    await leave(page);
  }, 60_000);

  test('shows a running stream in two windows, over the whole window and nothing else', async () => {
    const camera = await publish('meanwhile');
    const begunMs = performance.now();
    const page = await open('/view/meanwhile');
    await state(page, 'live');
    console.log(`the first picture was there after ${Math.round(performance.now() - begunMs)} ms`);
    const second = await open('/view/meanwhile');
    await state(second, 'live');
    expect(isBluish(await colour(second))).toBe(true);
    const box = await page.locator('video').boundingBox();
    expect(box).toEqual({ x: 0, y: 0, width: 640, height: 480 });
    expect(await page.evaluate(() => [document.body.innerText.trim(), document.body.children.length])).toEqual(['', 2]);
    // The words for screen readers take no place in a scene.
    const words = await page.locator('#disclosure').boundingBox();
    expect([words!.width, words!.height]).toEqual([1, 1]);
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgba(0, 0, 0, 0)');
    await leave(page);
    await leave(second);
    await until(async () => {
      const text = await (await fetch(`${program.url}/metrics`)).text();
      return /^faceoff_viewers 0$/m.test(text);
    }, 'the viewers to be gone');
    await unpublish(camera);
  });

  test('plays sound where the address asks for it, after a click if the browser needs one', async () => {
    const camera = await publish('heard', {}, true);
    const page = await open('/view/heard?sound');
    await state(page, 'live');
    const isMuted = (): Promise<boolean> => page.evaluate(() => document.querySelector('video')!.muted);
    if (await isMuted()) await page.mouse.click(100, 100);
    await until(async () => !(await isMuted()), 'the page to be heard');
    const loudest = await page.evaluate(async () => {
      const context = new AudioContext();
      const analyser = context.createAnalyser();
      context.createMediaStreamSource(document.querySelector('video')!.srcObject as MediaStream).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      let most = 0;
      for (let i = 0; i < 100 && most < 0.05; i++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        analyser.getFloatTimeDomainData(samples);
        most = samples.reduce((a, b) => Math.max(a, Math.abs(b)), most);
      }
      return most;
    });
    expect(loudest).toBeGreaterThan(0.05);
    const silent = await open('/view/heard');
    await state(silent, 'live');
    expect(
      await silent.evaluate(() => {
        const video = document.querySelector('video')!;
        return [video.muted, (video.srcObject as MediaStream).getAudioTracks().length];
      }),
    ).toEqual([true, 0]);
    await leave(page);
    await leave(silent);
    await unpublish(camera);
  });

  test('plays after a tap where the browser begins nothing by itself, as a phone in low-power mode', async () => {
    const camera = await publish('tapped', {}, true);
    const context = await browser.newContext({ viewport: { width: 390, height: 480 }, hasTouch: true });
    // The rule of such a browser: a finger has acted when it is lifted (HTML standard, "activation triggering input event").
    await context.addInitScript(() => {
      let mayPlay = false;
      const act = () => {
        mayPlay = true;
      };
      for (const event of ['mousedown', 'pointerup', 'touchend', 'keydown']) addEventListener(event, act, true);
      const { play } = HTMLMediaElement.prototype;
      HTMLMediaElement.prototype.play = function (this: HTMLMediaElement) {
        return mayPlay ? play.call(this) : Promise.reject(new DOMException('not now', 'NotAllowedError'));
      };
    });
    await context.route('**/view/tapped?sound', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: (await answer.text()).replace(' autoplay', '') });
    });
    const page = await context.newPage();
    await page.goto(`${program.url}/view/tapped?sound`);
    await page.waitForSelector('body[data-tap="needed"]');
    const isPaused = (): Promise<boolean> => page.evaluate(() => document.querySelector('video')!.paused);
    expect(await isPaused()).toBe(true);
    await page.touchscreen.tap(200, 200);
    await until(async () => !(await isPaused()), 'the picture to play');
    await page.waitForSelector('body:not([data-tap])');
    await state(page, 'live');
    await until(() => page.evaluate(() => !document.querySelector('video')!.muted), 'the page to be heard');
    await leave(page);
    await unpublish(camera);
  });

  test('shows the next publisher when it was opened between two', async () => {
    await unpublish(await publish('late'));
    const page = await open('/view/late');
    await refused(page);
    expect(await page.getAttribute('body', 'data-state')).toBe('waiting');
    const camera = await publish('late');
    await state(page, 'live');
    await unpublish(camera);
    await leave(page);
  });

  test('shows the picture again after the server was restarted', async () => {
    const page = await open('/view/again');
    await publish('again');
    await state(page, 'live');
    await program.stop();
    await state(page, 'waiting');
    program = await startProgram(['--port', new URL(program.url).port, ...faceless]);
    const begunMs = performance.now();
    await publish('again');
    await state(page, 'live', 20_000);
    console.log(`the picture was back ${Math.round(performance.now() - begunMs)} ms after the publisher was`);
    expect(isBluish(await colour(page))).toBe(true);
    await leave(page);
  }, 60_000);
});

test("the studio shows the address of its view page, which shows the studio's picture", async () => {
  const page = await open('/');
  await page.waitForSelector('[data-face-id="astronaut"]');
  expect(await page.inputValue('#view-address')).toBe(`${program.url}/view/studio`);
  await page.fill('#stream', 'my stage');
  await page.press('#stream', 'Enter');
  expect(await page.inputValue('#view-address')).toBe(`${program.url}/view/studio`);
  await page.fill('#stream', 'my-stage');
  await page.press('#stream', 'Enter');
  await page.click('#start');
  await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
  const address = await page.inputValue('#view-address');
  expect(address).toBe(`${program.url}/view/my-stage`);
  const view = await open('/view/my-stage');
  await state(view, 'live');
  await page.click('#stop');
  await state(view, 'waiting');
  await page.click('#start');
  await state(view, 'live');
  await leave(view);
  await leave(page);
}, 60_000);

describe('on a server with a token', () => {
  const token = 'a-token-that-nobody-guesses';
  let open_: Program;
  beforeAll(async () => {
    open_ = program;
    program = await startProgram(['--set', `server.token=${token}`, ...faceless]);
  });
  afterAll(async () => {
    await program.stop();
    program = open_;
  });

  test('the view page asks for the token and shows the picture with it', async () => {
    const headers = { authorization: `Bearer ${token}` };
    await publish('secret', headers);
    const page = await open('/view/secret');
    await page.waitForSelector('#token');
    expect(await page.locator('video').count()).toBe(0);
    await page.fill('#token', 'another-one-altogether');
    await page.press('#token', 'Enter');
    await page.waitForSelector('#message:not([hidden])');
    await page.goto(`${program.url}/view/secret?token=${token}`);
    await state(page, 'live');
    expect(page.url()).toBe(`${program.url}/view/secret`);
    await leave(page);
  });

  test.each([
    ['with the token in its address', `?token=${token}`],
    ['after the login there', ''],
  ])(
    'a site of server.origins shows it in a frame %s',
    async (_how, query) => {
      const site = createServer((_request, response) => {
        response
          .setHeader('content-type', 'text/html')
          .end(`<iframe src="${framing.url}/view/framed${query}"></iframe>`);
      });
      await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
      // Another site than 127.0.0.1, on this machine.
      const origin = `http://localhost:${(site.address() as AddressInfo).port}`;
      const framing = await startProgram([
        ...['--set', `server.token=${token}`, '--set', `server.origins=["${origin}"]`],
        ...faceless,
      ]);
      const camera = new Publisher();
      cameras.push(camera);
      camera.send(320, 240);
      const headers = { authorization: `Bearer ${token}` };
      expect((await camera.whip(framing.url, '?stream=framed', headers)).status).toBe(201);
      const page = await (await browser.newContext()).newPage();
      await page.goto(origin);
      const frame = page.frameLocator('iframe');
      if (query === '') {
        await frame.locator('#token').fill(token);
        await frame.locator('#token').press('Enter');
      }
      await frame.locator('body[data-state="live"]').waitFor({ timeout: 15_000 });
      await page.context().close();
      camera.close();
      await framing.stop();
      site.close();
    },
    60_000,
  );

  test('the studio and its socket open after the login', async () => {
    const page = await open('/');
    await page.fill('#token', token);
    await page.press('#token', 'Enter');
    await page.waitForSelector('[data-face-id="astronaut"]');
    expect(await page.textContent('#program-steps')).toContain('?token=');
    expect(await page.evaluate(() => document.cookie)).toBe('');
    await leave(page);
  });
});
