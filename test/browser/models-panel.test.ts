/** Engines in the studio: those that are here can be chosen, live, and the list tells what is known of every model. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { cutFrame, group } from '../support/lane.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { type StandIns, standIns } from '../support/stand-ins.ts';

let models: StandIns;
let program: Program;
let browser: Browser;
let clip: string;
let page: Page;
beforeAll(async () => {
  models = standIns(['inswapper_128', 'arcface_w600k_r50', 'ghost_1_256']);
  clip = writeClip(await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480), 30);
  program = await startProgram(['--set', `models.dir=${models.folder}`]);
  browser = await launchBrowser(clip);
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(program.url);
  await page.waitForSelector('[data-face-id="astronaut"]');
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
  models?.remove();
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

test('mesh, none and the complete generators can be chosen', async () => {
  await until(async () => (await page.locator('#engine option').count()) === 3, 'the engines');
  const values = await page.locator('#engine option').evaluateAll((all) => all.map((one) => one.getAttribute('value')));
  // Ghost lacks its converter.
  expect(values).toEqual(['mesh', 'inswapper_128', 'none']);
  expect(await page.inputValue('#engine')).toBe('mesh');
});

test('an engine is changed live, and its state is shown while it loads', async () => {
  await page.selectOption('#resolution', '640x480');
  await page.click('#start');
  await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
  await page.selectOption('#engine', 'inswapper_128');
  await until(async () => (await page.textContent('#engine-hint')) === 'Runs on cpu.', 'the engine', 20_000);
  expect(await page.getAttribute('body', 'data-state')).toBe('live');
  const swapped = async () => Number((await sessions())[0]?.swapped ?? 0);
  const before = await swapped();
  await until(async () => (await swapped()) > before, 'swaps by it');
});

test('engine none shows faces unswapped, and mesh swaps again', async () => {
  await page.selectOption('#engine', 'none');
  await until(async () => (await page.textContent('#after-tag')) === 'As it is', 'the tag');
  await until(async () => (await sessions())[0]!.faces.every((face) => !face.swapped), 'bare faces');
  expect(await page.isVisible('#remark')).toBe(false);
  await page.selectOption('#engine', 'mesh');
  await until(async () => (await sessions())[0]!.faces.some((face) => face.swapped), 'swaps');
  expect(await page.textContent('#engine-hint')).toBe('');
});

test('the models list shows state, role, size and licence of every model', async () => {
  await page.click('#models summary');
  await page.waitForSelector('[data-model="gfpgan_1.4"]');
  expect(await page.getAttribute('[data-model="face-mesh"]', 'data-state')).toBe('ready');
  expect(await page.textContent('[data-model="face-mesh"]')).toMatch(/ready on cpu.*3 MB.*Apache-2\.0/);
  await until(
    async () => (await page.getAttribute('[data-model="inswapper_128"]', 'data-state')) === 'verified',
    'rest',
  );
  expect(await page.textContent('[data-model="inswapper_128"]')).toMatch(/not for commercial use/);
  expect(await page.textContent('[data-model="gfpgan_1.4"]')).toMatch(/not here.*restorer/);
});

interface Session {
  swapped: number;
  faces: { swapped: boolean }[];
}
const sessions = async (): Promise<Session[]> =>
  (await (await fetch(`${program.url}/api/sessions`)).json()) as Session[];
