/** The background panel in a real Chromium: choose, upload, delete; what is received shows it. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SwapSettings } from '../../src/shared/settings.ts';
import { launchBrowser, startStudio } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { cutFrame, group } from '../support/lane.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { received } from './picture.ts';

let program: Program;
let browser: Browser;
let page: Page;
let clip: string;

beforeAll(async () => {
  clip = writeClip(await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480), 30);
  program = await startProgram();
  browser = await launchBrowser(clip);
  page = await startStudio(browser, program.url);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

/** Waits until the upper left corner of the received picture has about this luma and chroma. */
async function cornerComes(wanted: readonly [number, number, number]): Promise<void> {
  await until(async () => {
    const { data, width, height } = await received(page);
    const chroma = width * height + 8 * (width / 2) + 8;
    const found = [data[16 * width + 16]!, data[chroma]!, data[chroma + (width * height) / 4]!];
    return found.every((value, k) => Math.abs(value - wanted[k]!) < 14);
  }, 'the background');
}

async function settings(): Promise<SwapSettings> {
  return (await (await fetch(`${program.url}/api/streams/studio/settings`)).json()) as SwapSettings;
}

test('a colour is shown behind the person, and another one at once', async () => {
  await page.selectOption('#background', 'colour');
  await cornerComes([111, 105, 58]);
  expect(await page.isVisible('#backgroundColour')).toBe(true);
  await page.fill('#backgroundColour', '#0000ff');
  await cornerComes([41, 240, 110]);
  expect(await settings()).toMatchObject({ background: 'colour', backgroundColour: '#0000ff' });
});

test('a picture that is uploaded is shown, and blurs the room once it is deleted', async () => {
  await page.selectOption('#background', 'picture');
  const red = await sharp({ create: { width: 640, height: 360, channels: 3, background: '#ff0000' } })
    .jpeg()
    .toBuffer();
  await page.setInputFiles('#background-file', { name: 'red.jpg', mimeType: 'image/jpeg', buffer: red });
  await cornerComes([81, 90, 240]);
  await page.waitForSelector('#background-list .card[aria-pressed="true"]');
  await page.hover('#background-list li');
  await page.click('#background-list [aria-label="Delete Picture 1"]');
  await page.click('#confirm-action');
  await page.waitForFunction(() => document.querySelector('#background-list')?.children.length === 0);
  expect(await settings()).toMatchObject({ background: 'picture', backgroundPicture: null });
});

test('a file that is no picture is told of, and changes nothing', async () => {
  const buffer = Buffer.from('hello');
  await page.setInputFiles('#background-file', { name: 'a.jpg', mimeType: 'image/jpeg', buffer });
  await page.waitForFunction(() => document.querySelector('#toast')?.textContent?.includes('not a picture'));
  expect(await page.locator('#background-list li').count()).toBe(0);
});

test('what another program chooses is shown', async () => {
  await fetch(`${program.url}/api/streams/studio/settings`, {
    method: 'PATCH',
    body: JSON.stringify({ background: 'strong-blur' }),
  });
  await page.waitForFunction(() => document.querySelector<HTMLSelectElement>('#background')?.value === 'strong-blur');
});
