/** The remote control, on a phone's page beside the page with the camera. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type Program, startProgram, until } from '../support/server.ts';

/** Where screenshots go, to be looked at; none without it. */
const shots = process.env.CAPTURE_SHOTS;
const UPRIGHT = { width: 390, height: 844 };
let program: Program;
let browser: Browser;
beforeAll(async () => {
  program = await startProgram();
  browser = await launchBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
});

interface Settings {
  on: boolean;
  offAir: boolean;
  face: string | null;
  strength: number;
}
const settings = async (): Promise<Settings> =>
  (await (await fetch(`${program.url}/api/streams/studio/settings`)).json()) as Settings;

async function openRemote(colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
  const page = await browser.newPage({ viewport: UPRIGHT, isMobile: true, hasTouch: true, colorScheme });
  await page.goto(`${program.url}/remote/studio`);
  return page;
}

test('a phone switches, chooses faces and presets and sets the strength of the page with the camera', async () => {
  const remote = await openRemote();
  await remote.waitForFunction(() => document.querySelector('#state')!.textContent === 'Waits for the stream');
  await fetch(`${program.url}/api/presets/Evening`, {
    method: 'PUT',
    body: JSON.stringify({ strength: 0.3 }),
    headers: { 'content-type': 'application/json' },
  });
  const studio = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await studio.goto(program.url);
  await studio.waitForSelector('[data-face-id="astronaut"]');
  await studio.click('#start');
  await studio.waitForSelector('body[data-state="live"]', { timeout: 30_000 });
  await remote.waitForSelector('body[data-state="live"]', { timeout: 20_000 });

  await remote.tap('#on');
  await until(async () => !(await settings()).on, 'the swap to be off');
  await studio.waitForSelector('#on[aria-pressed="false"]');
  await remote.waitForSelector('#on[aria-pressed="false"]');
  await remote.tap('#on');
  await studio.waitForSelector('#on[aria-pressed="true"]');

  await remote.tap('#off-air');
  await until(async () => (await settings()).offAir, 'off air');
  await remote.waitForSelector('#off-air[aria-pressed="true"]');
  await remote.tap('#off-air');
  await until(async () => !(await settings()).offAir, 'on air again');

  const before = (await settings()).face;
  await remote.tap('#next');
  await until(async () => (await settings()).face !== before, 'the next face');
  const face = (await settings()).face!;
  await remote.waitForSelector(`[data-face="${face}"][aria-pressed="true"]`);
  await remote.tap(`[data-face="${before}"]`);
  await until(async () => (await settings()).face === before, 'the face that was tapped');

  await remote.locator('#strength').fill('60');
  await until(async () => (await settings()).strength === 0.6, 'the strength');
  await remote.waitForSelector('#presets button', { timeout: 20_000 });
  await remote.tap('#presets button');
  await until(async () => (await settings()).strength === 0.3, 'the preset');
  await studio.waitForFunction(() => document.querySelector<HTMLInputElement>('#strength')!.value === '30');
  if (shots !== undefined) await remote.screenshot({ path: `${shots}/remote-upright.png` });

  await remote.setViewportSize({ width: 844, height: 390 });
  if (shots !== undefined) await remote.screenshot({ path: `${shots}/remote-sideways.png` });
  const overflow = await remote.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow).toBeLessThanOrEqual(0);
  const smallest = await remote.evaluate(() =>
    Math.min(...[...document.querySelectorAll('button')].map((one) => one.getBoundingClientRect().height)),
  );
  expect(smallest).toBeGreaterThanOrEqual(48);
  await studio.close();
  await remote.waitForSelector('body[data-state="waiting"]', { timeout: 20_000 });
  await remote.close();
}, 120_000);

test('says that the server is away, and comes back', async () => {
  const remote = await openRemote('dark');
  await remote.waitForSelector('body[data-state="waiting"]');
  await remote.waitForSelector('[data-face]');
  if (shots !== undefined) await remote.screenshot({ path: `${shots}/remote-dark.png` });
  await remote.route('**/api/**', (route) => route.abort());
  await remote.waitForSelector('body[data-state="away"]');
  await remote.unroute('**/api/**');
  await remote.waitForSelector('body[data-state="waiting"]');
  await remote.close();
}, 60_000);
