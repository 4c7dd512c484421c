/** The studio's view of the machine, with a stand-in GPU where it can be compiled, and without. */

import { readFile, rm } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, openStudio } from '../support/browser.ts';
import { buildGpu } from '../support/gpu.ts';
import { type Program, startProgram, until } from '../support/server.ts';

const GB = 2 ** 30;
/** Nothing is swapped here. */
const FACELESS = ['--set', 'swap.engine=none'];
const standIn = buildGpu();
let browser: Browser;
let program: Program | null = null;
beforeAll(async () => {
  browser = await launchBrowser();
}, 120_000);
afterEach(async () => {
  await program?.stop();
  program = null;
});
afterAll(async () => {
  await browser?.close();
  if (standIn !== null) await rm(standIn.folder, { recursive: true, force: true });
});

/** Whether a line was drawn in its canvas. */
const isDrawn = (page: Page, id: string): Promise<boolean> =>
  page.evaluate((name) => {
    const canvas = document.querySelector<HTMLCanvasElement>(`#${name}-line`)!;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value) => value !== 0);
  }, id);

test('memory and processor are drawn, a missing GPU is not shown, and the table can be downloaded', async () => {
  program = await startProgram(FACELESS);
  const page = await openStudio(browser, program.url);
  await until(async () => /^\d+ MB$/.test((await page.textContent('#rss-value'))!), 'the memory');
  expect(await page.textContent('#cores-value')).toMatch(/^\d+\.\d\d cores$/);
  await until(() => isDrawn(page, 'rss'), 'a line');
  expect(await page.isVisible('#machine-rss')).toBe(true);
  expect(await page.isVisible('#machine-vram')).toBe(false);
  expect(await page.isVisible('#machine-gpu')).toBe(false);
  expect(await page.textContent('#pressure')).toBe('');

  const [download] = await Promise.all([page.waitForEvent('download'), page.click('a[download="memory.csv"]')]);
  expect(download.suggestedFilename()).toBe('memory.csv');
  expect(await readFile(await download.path(), 'utf8')).toMatch(/^time,.*\r\n\d{4}-/);
  await page.close();
});

test('the page says when memory is short', async () => {
  // No process of this kind does with so little.
  program = await startProgram([...FACELESS, '--set', 'memory.rssLimitMb=128']);
  const page = await openStudio(browser, program.url);
  await until(async () => /short/.test((await page.textContent('#pressure'))!), 'a word');
  await page.close();
});

describe.skipIf(standIn === null)('with a GPU', () => {
  test('GPU memory and utilisation are shown and follow changes', async () => {
    process.env.LD_LIBRARY_PATH = standIn!.folder;
    try {
      program = await startProgram(FACELESS);
    } finally {
      delete process.env.LD_LIBRARY_PATH;
    }
    const page = await openStudio(browser, program.url);
    await until(async () => (await page.textContent('#vram-value')) === '3.0 GB of 8.0 GB', 'the memory');
    expect(await page.textContent('#gpu-value')).toBe('42 %');
    expect(await page.textContent('#gpu-name')).toBe('Stand-in GPU');
    await until(async () => (await isDrawn(page, 'vram')) && (await isDrawn(page, 'gpu')), 'lines');
    standIn!.say(7.5 * GB, 99);
    await until(async () => (await page.textContent('#vram-value')) === '7.5 GB of 8.0 GB', 'the change');
    // No model of ours runs on it, so what others do with it is no concern.
    expect(await page.textContent('#pressure')).toBe('');
    await page.close();
  });
});
