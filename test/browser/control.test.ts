/** The same settings by page, REST and keyboard, in a real Chromium: each sees at once what the others changed. */

import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distance } from '../../src/pipeline/face/embed.ts';
import type { SettingsPatch, SwapSettings } from '../../src/shared/settings.ts';
import type { Frame } from '../../src/shared/types.ts';
import { launchBrowser, startStudio } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { cutFrame, group } from '../support/lane.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { openWho, type Who } from '../support/who.ts';
import { received } from './picture.ts';

let program: Program;
let browser: Browser;
let page: Page;
let camera: Frame;
let clip: string;
let who: Who;

beforeAll(async () => {
  who = await openWho();
  camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  clip = writeClip(camera, 30);
  program = await startProgram();
  browser = await launchBrowser(clip);
  page = await startStudio(browser, program.url);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await program?.stop();
  rmSync(path.dirname(clip), { recursive: true, force: true });
});

async function ask(method: string, at: string, body?: object): Promise<SwapSettings> {
  const answer = await fetch(`${program.url}/api/streams/studio${at}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as SwapSettings;
}
const settings = (): Promise<SwapSettings> => ask('GET', '/settings');
const comes = (patch: SettingsPatch) =>
  until(async () => {
    const now = await settings();
    return Object.entries(patch).every(([key, value]) => now[key as keyof SwapSettings] === value);
  }, JSON.stringify(patch));
const shows = (selector: string) => page.waitForSelector(selector, { timeout: 3000 });
/** Nothing has the focus, as after a click into the page. */
const blur = () => page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());

describe('a change over REST', () => {
  test("appears in the studio's controls and in the picture", async () => {
    await ask('PATCH', '/settings', { strength: 0.4, fallback: 'blur', keepEyes: true, choice: 'largest' });
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>('#strength')?.value === '40');
    expect(await page.inputValue('#fallback')).toBe('blur');
    expect(await page.isChecked('#keepEyes')).toBe(true);
    expect(await page.isChecked('[name="choice"][value="largest"]')).toBe(true);
    await ask('PATCH', '/settings', { strength: 1, fallback: 'passthrough', keepEyes: false, choice: 'all' });

    await ask('POST', '/face/next');
    await shows('[data-face-id="mona-lisa"][aria-pressed="true"]');
    await ask('POST', '/face/previous');
    await shows('[data-face-id="astronaut"][aria-pressed="true"]');

    await ask('POST', '/toggle');
    await shows('#on[aria-pressed="false"]');
    expect(await page.textContent('#after-tag')).toBe('As it is');
    const [own] = await who.embeddings(camera);
    const distanceToOwn = async (): Promise<number> => {
      const [shown] = await who.embeddings(await received(page));
      return shown === undefined ? Number.NaN : distance(shown, own!);
    };
    await until(async () => (await distanceToOwn()) < 0.3, "the camera's own face", 20_000);
    await ask('POST', '/toggle');
    await shows('#on[aria-pressed="true"]');
    await until(async () => (await distanceToOwn()) > 0.5, 'the swapped face', 20_000);
  });

  test("is kept by the page's own next change", async () => {
    await ask('PATCH', '/settings', { keepMouth: true });
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>('#keepMouth')?.checked);
    await page.click('#on');
    await comes({ on: false, keepMouth: true });
    await page.click('#on');
    await comes({ on: true, keepMouth: true });
    await page.uncheck('#keepMouth');
    await comes({ keepMouth: false });
  });
});

describe('keyboard shortcuts', () => {
  test('switch the swap and step through the faces', async () => {
    await blur();
    for (const [key, patch] of [
      ['p', { on: false }],
      [' ', { on: true }],
      ['e', { keepEyes: true }],
      ['E', { keepEyes: false }],
      ['m', { keepMouth: true }],
      ['m', { keepMouth: false }],
      ['ArrowRight', { face: 'mona-lisa' }],
      ['ArrowLeft', { face: 'astronaut' }],
      [']', { face: 'mona-lisa' }],
      ['[', { face: 'astronaut' }],
    ] as const) {
      await page.keyboard.press(key);
      await comes(patch);
    }
    expect(await page.textContent('#toast')).toBe('Eileen Collins (NASA)');
  });

  test('apply a preset by its key and leave typing in a text field alone', async () => {
    await ask('PATCH', '/settings', { strength: 0.3, keepEyes: true });
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>('#strength')?.value === '30');
    const before = await settings();
    await page.click('#preset-name');
    await page.keyboard.type('pem 1?');
    expect(await settings()).toEqual(before);
    await page.keyboard.press('Enter');
    await shows('.presets [data-preset="pem 1?"]');
    await ask('PATCH', '/settings', { strength: 1, keepEyes: false });
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>('#strength')?.value === '100');
    await blur();
    await page.keyboard.press('1');
    await comes({ strength: 0.3, keepEyes: true });
    await page.keyboard.press('2');
    await page.waitForFunction(() => document.querySelector('#toast')?.textContent === 'There is no preset 2 yet.');
  });

  test('leave arrow keys to a focused slider and space to a focused button', async () => {
    const { face } = await settings();
    await page.focus('#strength');
    await page.keyboard.press('ArrowRight');
    await comes({ strength: 0.31 });
    await page.focus('#swapped');
    await page.keyboard.press(' ');
    expect(await page.getAttribute('#swapped', 'aria-pressed')).toBe('true');
    await page.click('#compare');
    expect(await settings()).toMatchObject({ face, on: true });
  });

  test('are listed in a dialog, are inactive in it and can be switched off', async () => {
    await blur();
    await page.keyboard.press('?');
    await shows('#shortcuts[open]');
    await page.keyboard.press('p');
    await page.click('#shortcuts-on');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#shortcuts:not([open])', { state: 'attached' });
    await page.keyboard.press('m');
    await page.waitForTimeout(300);
    expect(await settings()).toMatchObject({ on: true, keepMouth: false });
    await page.click('#shortcuts-open');
    await page.click('#shortcuts-on');
    await page.keyboard.press('Escape');
    await page.keyboard.press('m');
    await comes({ keepMouth: true });
  });
});

describe('presets', () => {
  test('are seen by every page, applied by REST, and deleted after a confirmation', async () => {
    const other = await browser.newPage();
    await other.goto(program.url);
    await other.waitForSelector('.presets [data-preset="pem 1?"]');
    await ask('PATCH', '/settings', { strength: 1 });
    await ask('POST', `/preset/${encodeURIComponent('pem 1?')}`);
    await page.waitForFunction(() => document.querySelector<HTMLInputElement>('#strength')?.value === '30');
    await other.click('.presets .remove');
    await other.click('#confirm [value="confirm"]');
    await page.waitForFunction(() => document.querySelectorAll('.presets li').length === 0);
    expect((await settings()).strength).toBe(0.3);
    await other.close();
  });

  test('of a deleted face change nothing', async () => {
    await fetch(`${program.url}/api/presets/gone`, { method: 'PUT', body: JSON.stringify({ face: 'gone', shape: 0 }) });
    await page.click('.presets .apply');
    expect(await page.textContent('#toast')).toMatch(/The face of gone is gone/);
    expect((await settings()).shape).toBe(0.8);
  });
});
