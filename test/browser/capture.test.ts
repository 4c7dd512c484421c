/** Camera and voice in the studio: framing, a microphone that viewers hear, its changed voice; and how to show the picture elsewhere. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { cutFrame, group, onGrey } from '../support/lane.ts';
import { type Program, startProgram, until } from '../support/server.ts';

/** Where screenshots go, to be looked at; none without it. */
const shots = process.env.CAPTURE_SHOTS;
let program: Program;
let browser: Browser;
let clip: string;
const pages: Page[] = [];

beforeAll(async () => {
  const camera = onGrey(await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 200, 150), 640, 480, {
    x: 120,
    y: 120,
  });
  clip = writeClip(camera, 30);
  program = await startProgram(['--set', 'pipeline.budgetMs=1000']);
  browser = await launchBrowser(clip, ['--autoplay-policy=no-user-gesture-required']);
}, 120_000);
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});
afterAll(async () => {
  await browser?.close();
  await program?.stop();
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

async function open(where: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 }, ...options });
  pages.push(page);
  await page.goto(program.url + where);
  return page;
}

async function startStudio(options: Parameters<Browser['newPage']>[0] = {}): Promise<Page> {
  const page = await open('/', options);
  await page.waitForSelector('[data-face-id="astronaut"]');
  await page.click('#start');
  await page.waitForSelector('body[data-state="live"]', { timeout: 30_000 });
  return page;
}

interface Stats {
  faces: { width: number }[];
  soundDelayMs: number | null;
  settings: { framing: string; soundOffsetMs: number };
}
/** Undefined for a moment where the page connects anew, as for its first microphone. */
const session = async (): Promise<Stats | undefined> =>
  ((await (await fetch(`${program.url}/api/sessions`)).json()) as Stats[])[0];
const soundDelayMs = async (): Promise<number | null> => (await session())?.soundDelayMs ?? null;
const shoot = async (page: Page, name: string, selector?: string): Promise<void> => {
  if (shots === undefined) return;
  if (selector !== undefined) await page.locator(selector).scrollIntoViewIfNeeded();
  await page.screenshot({ path: `${shots}/${name}.png` });
};

test('framing follows the face, and the slider says how close', async () => {
  const page = await startStudio();
  await until(async () => ((await session())?.faces[0]?.width ?? 0) > 0, 'a face', 30_000);
  const before = (await session())!.faces[0]!.width;
  expect(await page.isVisible('#zoom')).toBe(false);
  await page.selectOption('#framing', 'face');
  await page.locator('#zoom').fill('100');
  await until(async () => ((await session())?.faces[0]?.width ?? 0) > 1.35 * before, 'a larger face', 30_000);
  await shoot(page, 'framed', '#framing');
  await page.reload();
  await page.waitForSelector('[data-face-id="astronaut"]');
  expect(await page.inputValue('#framing')).toBe('face');
  await page.selectOption('#framing', 'whole');
}, 120_000);

test('viewers hear the microphone; its level and delay are shown', async () => {
  const page = await startStudio();
  await page.selectOption('#microphone', '');
  // Chromium's own microphone beeps once a second.
  await page.waitForFunction(() => document.querySelector<HTMLMeterElement>('#voice-level')!.value > 0.2);
  await until(async () => (await soundDelayMs()) !== null, 'sound at the server', 30_000);
  await page.waitForFunction(() => /waits -?\d+ ms/.test(document.querySelector('#sound-delay')!.textContent!));
  const before = (await soundDelayMs())!;
  await page.locator('#soundOffsetMs').fill('400');
  await until(async () => ((await soundDelayMs()) ?? 0) > before + 250, 'a longer delay', 30_000);
  await shoot(page, 'voice', '#voice');
  const viewer = await open('/view/studio?sound');
  await viewer.waitForFunction(() => document.querySelector('video')!.readyState > 2, null, { timeout: 30_000 });
  // Two seconds hold at least one of the beeps.
  const peak = (): Promise<number> =>
    viewer.evaluate(async () => {
      const context = new AudioContext();
      const analyser = context.createAnalyser();
      context.createMediaStreamSource(document.querySelector('video')!.srcObject as MediaStream).connect(analyser);
      const samples = new Float32Array(analyser.fftSize);
      let loudest = 0;
      for (let n = 0; n < 200; n++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        analyser.getFloatTimeDomainData(samples);
        for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
      }
      await context.close();
      return loudest;
    });
  await until(async () => (await peak()) > 0.02, 'a beep at the viewer');
  await page.selectOption('#microphone', 'none');
  await until(async () => (await peak()) < 0.001, 'silence at the viewer');
}, 150_000);

test('a changed voice has another pitch, comes as late as is said, and the picture waits for it', async () => {
  const page = await open('/');
  await page.waitForSelector('[data-face-id="astronaut"]');
  // A microphone with a tone of 300 Hz, whose beginning is known.
  await page.evaluate(() => {
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: 300 });
    const gain = new GainNode(context, { gain: 0 });
    const out = context.createMediaStreamDestination();
    tone.connect(gain).connect(out);
    tone.start();
    const begin = (): void => void gain.gain.setValueAtTime(0.5, context.currentTime);
    Object.assign(window, { tone: { begin, context } });
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => (wanted?.audio ? out.stream : real(wanted));
    // What the page sends is caught where it is handed over.
    const create = AudioContext.prototype.createMediaStreamDestination;
    AudioContext.prototype.createMediaStreamDestination = function made(this: AudioContext) {
      const destination = create.call(this);
      Object.assign(window, { changed: destination.stream });
      return destination;
    };
  });
  await page.selectOption('#microphone', '');
  await page.waitForSelector('#voice:not([hidden])');
  await page.locator('#voice-pitch').fill('7');
  await page.waitForFunction(() => /\d+ ms later/.test(document.querySelector('#voice-latency')!.textContent!));
  const said = Number.parseInt((await page.textContent('#voice-latency'))!, 10);
  const heard = await page.evaluate(async () => {
    const { tone, changed } = window as unknown as {
      tone: { begin(): void; context: AudioContext };
      changed: MediaStream;
    };
    const analyser = new AnalyserNode(tone.context, { fftSize: 8192, smoothingTimeConstant: 0 });
    tone.context.createMediaStreamSource(changed).connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const samples = new Float32Array(256);
    const probe = new AnalyserNode(tone.context, { fftSize: 256 });
    tone.context.createMediaStreamSource(changed).connect(probe);
    tone.begin();
    const began = performance.now();
    do {
      await new Promise((resolve) => setTimeout(resolve, 2));
      probe.getFloatTimeDomainData(samples);
    } while (!samples.some((sample) => Math.abs(sample) > 0.05) && performance.now() - began < 3000);
    const lateMs = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const most = bins.indexOf(Math.max(...bins));
    return { lateMs, hertz: (most * tone.context.sampleRate) / analyser.fftSize };
  });
  console.log(
    `a tone of 300 Hz, raised by a fifth, is heard at ${heard.hertz.toFixed(0)} Hz after ${heard.lateMs.toFixed(0)} ms; the page says ${said} ms`,
  );
  // A fifth is 7 semitones: 1.498 times the frequency.
  expect(Math.abs(heard.hertz - 449.5)).toBeLessThan(12);
  expect(said).toBeGreaterThan(20);
  expect(said).toBeLessThan(250);
  expect(Math.abs(Number(await page.inputValue('#soundOffsetMs')) + said)).toBeLessThanOrEqual(5);
}, 90_000);

test('says how to get into other programs, and opens them', async () => {
  const page = await open('/', { colorScheme: 'dark' });
  await page.waitForSelector('[data-face-id="astronaut"]');
  const names = await page.locator('#program option').allTextContents();
  expect(names).toEqual(['OBS', 'Meet', 'Zoom', 'Teams', 'Discord', 'Twitch', 'VDO.Ninja']);
  for (const name of names) {
    await page.selectOption('#program', name);
    expect(await page.locator('#program-steps li').count()).toBe(2);
    await shoot(page, `program-${name.toLowerCase()}`, '#program-steps');
  }
  expect(await page.getAttribute('#program-open', 'href')).toBe('https://vdo.ninja/?push');
  await page.selectOption('#program', 'OBS');
  expect(await page.getAttribute('#program-open', 'href')).toBe(`${program.url}/view/studio`);
}, 60_000);

test('the panels fit a phone', async () => {
  const page = await open('/', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await page.waitForSelector('[data-face-id="astronaut"]');
  await page.selectOption('#microphone', '');
  await page.waitForSelector('#voice:not([hidden])');
  await shoot(page, 'phone-voice', '#voice');
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(390);
}, 60_000);
