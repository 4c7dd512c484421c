/** axe-core (WCAG 2.2 A and AA and its best practices) finds nothing serious on any page, light or dark, wide or narrow. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';
import { launchWithPerson } from '../support/browser.ts';
import { type Program, startProgram } from '../support/server.ts';

const TOKEN = 'a-token-that-is-not-guessed';
const axe = readFileSync(path.join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');

let program: Program;
let locked: Program;
let browser: Browser;

beforeAll(async () => {
  [program, locked] = await Promise.all([
    startProgram(),
    startProgram(['--set', 'swap.engine=none', '--set', `server.token=${TOKEN}`]),
  ]);
  browser = await launchWithPerson();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
  await locked?.stop();
});

/** Each page in both colours and both widths. */
const LOOKS = [
  { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
].map((look) => ({ ...look, name: `${look.colorScheme}, ${look.viewport.width} wide` })) as {
  colorScheme: 'light' | 'dark';
  viewport: { width: number; height: number };
  name: string;
}[];

/** What axe-core calls serious or critical: rule, element and reason. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, any, all, none }) => `${id} ${target}: ${[...any, ...all, ...none].map((c) => c.message)}`),
    );
}

const live = (page: Page) => page.waitForSelector('body[data-state="live"]', { timeout: 30_000 });

/** Each page in a state that has something to read. */
const PAGES: Record<string, (page: Page) => Promise<unknown>> = {
  'the studio before it is live': (page) => page.goto(`${program.url}/`),
  'the studio, live': async (page) => {
    await page.goto(`${program.url}/`);
    await page.click('#start');
    await live(page);
  },
  'the keyboard shortcuts': async (page) => {
    await page.goto(`${program.url}/`);
    await page.click('#shortcuts-open');
    await page.waitForSelector('#shortcuts[open]');
  },
  'the question before others get the picture without its mark': async (page) => {
    await page.goto(`${program.url}/`);
    await page.click('#start');
    await live(page);
    await page.click('#badge');
    await page.waitForSelector('#confirm[open]');
  },
  'a face that is added': async (page) => {
    await page.goto(`${program.url}/`);
    await page.setInputFiles('#file', path.join(root, 'models/portraits/astronaut.webp'));
    await page.waitForSelector('#upload[open]');
  },
  'a stream that is not there': (page) => page.goto(`${program.url}/view/nothing`),
  'a remote control': async (page) => {
    await page.goto(`${program.url}/remote/studio`);
    await page.waitForSelector('[data-face]');
  },
  'the studio with a microphone': async (page) => {
    await page.goto(`${program.url}/`);
    await page.selectOption('#microphone', '');
    await page.waitForSelector('#voice:not([hidden])');
  },
  'a call before one joins': (page) => page.goto(`${program.url}/call/room`),
  'a call': async (page) => {
    await page.goto(`${program.url}/call/room`);
    await page.fill('#who', 'Ann');
    await page.click('#join');
    await live(page);
  },
  'the detector': (page) => page.goto(`${program.url}/detect`),
  'the description of the API': async (page) => {
    await page.goto(`${program.url}/api/docs`);
    await page.waitForSelector('details');
  },
  'the login': (page) => page.goto(`${locked.url}/login`),
};

describe.each(LOOKS)('$name', ({ colorScheme, viewport }) => {
  test.each(Object.keys(PAGES))('%s has no serious finding', async (name) => {
    // Colours are read, and without motion none is on its way from a button that could not be pressed to one that can.
    const context = await browser.newContext({
      colorScheme,
      viewport,
      reducedMotion: 'reduce',
      permissions: ['camera', 'microphone'],
    });
    const page = await context.newPage();
    try {
      await PAGES[name]!(page);
      expect(await findings(page)).toEqual([]);
    } finally {
      await context.close();
    }
  });
});
