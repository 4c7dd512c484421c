/** The pages in the browser's language: German, an invented one that shows what none could translate, and right to left. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';
import { launchWithPerson } from '../support/browser.ts';
import { type Program, startProgram } from '../support/server.ts';

const TOKEN = 'a-token-that-is-not-guessed';
const GERMAN = JSON.parse(readFileSync(path.join(root, 'src/client/language/texts/de.json'), 'utf8')) as Record<
  string,
  string
>;
/** Every text is the English one, in brackets. */
const INVENTED = Object.fromEntries(
  Object.keys(GERMAN).map((key) => [key, `⟦${key.replace(/_(one|many|other)$/, '')}⟧`]),
);

let program: Program;
let locked: Program;
let browser: Browser;
let context: BrowserContext;

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
afterEach(() => context?.close());

/** A page of a browser that wants a language. @param texts stand in for those that the server has of it. */
async function pageIn(locale: string, texts?: Record<string, string>): Promise<Page> {
  context = await browser.newContext({ locale, permissions: ['camera', 'microphone'] });
  if (texts !== undefined) await context.route('**/languages/*.json', (route) => route.fulfill({ json: texts }));
  return context.newPage();
}

const live = (page: Page) => page.waitForSelector('body[data-state="live"]', { timeout: 30_000 });
const textOf = (page: Page, selector: string): Promise<string> => page.innerText(selector);

/** Opens a page of a language that is spoken, and waits until it speaks it. */
async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.waitForFunction(() => document.documentElement.lang === navigator.language.split('-')[0]);
}

describe('the language that the browser asks for', () => {
  test('is that of the page, its title, attributes and notices', async () => {
    const page = await pageIn('de-AT');
    await open(page, `${program.url}/`);
    expect(await page.getAttribute('html', 'lang')).toBe('de');
    expect(await page.getAttribute('html', 'dir')).toBe('ltr');
    expect(await page.title()).toBe(GERMAN['FaceOff studio']);
    expect((await textOf(page, '#start')).trim()).toBe(GERMAN.Start);
    expect(await page.getAttribute('#mirror', 'aria-label')).toBe(GERMAN.Mirror);
    expect(await page.getAttribute('#gallery-search', 'placeholder')).toBe(GERMAN['Find a face']);
    expect(await textOf(page, '#notice-text')).toBe(
      GERMAN['Choose a face, then start your camera. Pictures are swapped by this server and kept nowhere.'],
    );
    await page.click('#start');
    await live(page);
    // It has figures, as soon as there were pictures.
    await page.waitForFunction(() => /Bild.*\d|\d.*Bild/.test(document.getElementById('verdict')?.textContent ?? ''));
    expect(await textOf(page, '#state')).toBe(GERMAN.Live);
  });

  test('is had without a token, and refusals are in it', async () => {
    const page = await pageIn('fr');
    await open(page, `${locked.url}/call/room`);
    const french = await page.evaluate(async () => (await fetch('/languages/fr.json')).json());
    expect((await textOf(page, 'button')).trim()).toBe(french['Log in']);
    await page.fill('#token', 'another one');
    await page.click('button');
    await page.waitForSelector('#message:not([hidden])');
    expect(await textOf(page, '#message')).toBe(french['That is not the token of this server.']);
  });

  test('is asked for once; English is not, and one that is not spoken is English', async () => {
    for (const [locale, asked] of [
      ['ja-JP', ['/languages/ja.json']],
      ['en-GB', []],
      ['pt-BR', []],
    ] as const) {
      const page = await pageIn(locale);
      const requests: string[] = [];
      page.on('request', (request) => {
        const { pathname } = new URL(request.url());
        if (pathname.startsWith('/languages/')) requests.push(pathname);
      });
      await page.goto(`${program.url}/`);
      await page.waitForSelector('[data-face-id="astronaut"]', { state: 'attached' });
      expect(requests).toEqual(asked);
      await context.close();
    }
  });

  test('is English where its texts do not come in time', async () => {
    const page = await pageIn('de');
    await context.route('**/languages/de.json', () => undefined);
    await page.goto(`${program.url}/`);
    await page.waitForSelector('[data-face-id="astronaut"]', { state: 'attached' });
    expect([await page.getAttribute('html', 'lang'), (await textOf(page, '#start')).trim()]).toEqual(['en', 'Start']);
  });
});

/** What a page says outside of the brackets: `where: text`, hidden texts too, for they may be shown. */
const untranslated = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const spoken = ['title', 'aria-label', 'placeholder', 'alt', 'aria-valuetext'];
    const names = new Set([...document.querySelectorAll('[translate="no"]')].map((one) => one.textContent));
    const rest = (text: string): string => {
      for (let before = ''; before !== text; ) {
        before = text;
        text = text.replace(/⟦[^⟦⟧]*⟧/g, '');
      }
      return text.trim();
    };
    const found: string[] = [];
    const note = (where: Element, text: string | null): void => {
      if (text !== null && /\p{L}/u.test(rest(text)) && !names.has(text))
        found.push(`${where.tagName.toLowerCase()}#${where.closest('[id]')?.id}: ${text.trim()}`);
    };
    for (const one of document.querySelectorAll('title, body, body *')) {
      if (one.closest('[translate="no"], script, style') !== null) continue;
      for (const name of spoken) note(one, one.getAttribute(name));
      for (const child of one.childNodes) if (child instanceof Text) note(one, child.data);
      for (const at of ['::before', '::after']) {
        const { content } = getComputedStyle(one, at);
        if (content.startsWith('"')) note(one, content);
      }
    }
    return [...new Set(found)];
  });

/** Unfolds everything that a page holds. */
const unfold = (page: Page) =>
  page.evaluate(() => {
    for (const one of document.querySelectorAll('details')) one.open = true;
  });

const PICTURE = path.join(root, 'models/portraits/astronaut.webp');

/** Each page in states that say something. */
const STATES: Record<string, (page: Page) => Promise<unknown>> = {
  'the studio before it is live': async (page) => {
    await open(page, `${program.url}/`);
    await unfold(page);
    await page.waitForSelector('[data-face-id="astronaut"]', { state: 'attached' });
    await page.waitForSelector('#model-list li');
    await page.waitForSelector('#preflight:not([hidden])');
  },
  'the studio, live, with what its controls say': async (page) => {
    await open(page, `${program.url}/`);
    await unfold(page);
    await page.click('#start');
    await live(page);
    await page.selectOption('#background', 'picture');
    await page.selectOption('#background', 'colour');
    await page.selectOption('#framing', 'face');
    await page.selectOption('#microphone', '');
    await page.waitForSelector('#voice:not([hidden])');
    await page.check('[name="choice"][value="mapped"]', { force: true });
    await page.waitForSelector('.person', { timeout: 15_000 });
    await page.waitForSelector('#verdict:not([data-cause=""])', { timeout: 15_000 });
    await page.keyboard.press('p');
    await page.waitForSelector('#toast:not(:empty)');
  },
  'each way to show the picture elsewhere': async (page) => {
    await open(page, `${program.url}/`);
    const programs = await page.$$eval('#program option', (all) => all.map((one) => (one as HTMLOptionElement).value));
    const said: string[] = [];
    for (const one of programs) {
      await page.selectOption('#program', one);
      said.push(...(await untranslated(page)));
    }
    expect(said).toEqual([]);
  },
  'a recording': async (page) => {
    await open(page, `${program.url}/`);
    await page.click('#start');
    await live(page);
    await page.click('#record:not([disabled])');
    await page.waitForSelector('#record[data-active="true"]');
    await page.click('#record');
    await page.waitForSelector('#record-files li');
  },
  'the keyboard shortcuts': async (page) => {
    await open(page, `${program.url}/`);
    await page.click('#shortcuts-open');
  },
  'the question before the mark is left off': async (page) => {
    await open(page, `${program.url}/`);
    await page.click('#start');
    await live(page);
    await page.click('#badge');
    await page.waitForSelector('#confirm[open]');
  },
  'a face that is added, and its page': async (page) => {
    await open(page, `${program.url}/`);
    await page.setInputFiles('#file', PICTURE);
    await page.waitForSelector('#upload[open]');
    await page.check('#consent');
    await page.waitForSelector('#look[src]', { timeout: 20_000 });
    expect(await untranslated(page)).toEqual([]);
    await page.fill('#name', 'Ann');
    await page.click('#save');
    await page.waitForSelector('#upload:not([open])', { state: 'attached' });
    const tools = page.locator('li:has([data-face-id]:not([data-face-id="astronaut"]) .name:text-is("Ann")) .tools');
    await tools.locator('button').first().click({ force: true });
    await page.waitForSelector('#face-page-photos li', { timeout: 20_000 });
    expect(await untranslated(page)).toEqual([]);
    await page.click('#face-page button[value=""]');
    await tools.locator('button').last().click({ force: true });
    await page.waitForSelector('#confirm[open]');
    expect(await untranslated(page)).toEqual([]);
    await page.click('#confirm-action');
    await page.waitForSelector('.name:text-is("Ann")', { state: 'detached' });
  },
  'a refusal': async (page) => {
    await open(page, `${program.url}/`);
    await page.fill('#preset-name', 'a/b');
    await page.click('#preset-save');
    await page.waitForSelector('#toast:not(:empty)');
  },
  'a call before and after one joins': async (page) => {
    await open(page, `${program.url}/call/room`);
    expect(await untranslated(page)).toEqual([]);
    await page.fill('#who', 'Ann');
    await page.click('#join');
    await live(page);
    await page.click('#mic');
    await page.click('#cam');
  },
  'a stream that is not there': (page) => open(page, `${program.url}/view/nothing`),
  'a remote control': async (page) => {
    await open(page, `${program.url}/remote/studio`);
    await page.waitForSelector('[data-face]');
  },
  'the login after a wrong token': async (page) => {
    await open(page, `${locked.url}/`);
    await page.fill('#token', 'another one');
    await page.press('#token', 'Enter');
    await page.waitForSelector('#message:not([hidden])');
  },
  'the detector with a finding': async (page) => {
    await open(page, `${program.url}/detect`);
    await page.setInputFiles('#file', PICTURE);
    await page.waitForSelector('#file:not([disabled])', { timeout: 30_000 });
    await page.waitForFunction(() => document.getElementById('result')?.textContent !== '');
  },
};

describe('in an invented language, nothing is left in English:', () => {
  test.each(Object.keys(STATES))('%s', async (name) => {
    const page = await pageIn('de', INVENTED);
    await STATES[name]!(page);
    expect(await untranslated(page)).toEqual([]);
  });

  test('and what would be is listed', async () => {
    const { Start: _, Mirror: __, ...others } = INVENTED;
    const page = await pageIn('de', others);
    await open(page, `${program.url}/`);
    const found = await untranslated(page);
    expect(found).toEqual(
      expect.arrayContaining([expect.stringContaining('Start'), expect.stringContaining('Mirror')]),
    );
    expect(found).toHaveLength(2);
  });
});

/** Elements that reach out of the window sideways, but for those that a scrolling or clipping parent holds. */
const sticksOut = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const isHeld = (one: Element): boolean =>
      one.parentElement !== null &&
      (getComputedStyle(one.parentElement).overflowX !== 'visible' || isHeld(one.parentElement));
    return [...document.querySelectorAll('body *')]
      .filter((one) => one.checkVisibility() && !isHeld(one))
      .filter((one) => {
        const { left, right, width } = one.getBoundingClientRect();
        return width > 1 && (left < -1 || right > document.documentElement.clientWidth + 1);
      })
      .map((one) => `${one.tagName} ${one.id} ${one.className} ${JSON.stringify(one.getBoundingClientRect())}`);
  });

/** Where an element lies in the picture, in percent of its width. */
const placeOf = (page: Page, selector: string): Promise<{ left: number; right: number }> =>
  page.evaluate((selector) => {
    const view = document.getElementById('view')!.getBoundingClientRect();
    const { left, right } = document.querySelector(selector)!.getBoundingClientRect();
    const percent = (x: number): number => (100 * (x - view.left)) / view.width;
    return { left: percent(left), right: percent(right) };
  }, selector);

const turn = (page: Page) =>
  page.evaluate(() => {
    document.documentElement.dir = 'rtl';
  });

describe.each([390, 1280])('from right to left, %i pixels wide,', (width) => {
  test('the studio stays in its window, and its picture as it is', async () => {
    const page = await pageIn('en');
    await page.setViewportSize({ width, height: 800 });
    await open(page, `${program.url}/`);
    await unfold(page);
    await page.click('#start');
    await live(page);
    await page.check('[name="choice"][value="mapped"]', { force: true });
    await page.waitForSelector('.person', { timeout: 15_000 });
    const [box, line] = [await placeOf(page, '.person'), await placeOf(page, '#divider')];
    await turn(page);
    expect(await sticksOut(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    const turned = await placeOf(page, '.person');
    expect(Math.abs(turned.left - box.left)).toBeLessThan(5);
    expect(await placeOf(page, '#divider')).toEqual(line);
    // The keyboard moves the line to where its arrow points.
    await page.focus('#divider');
    await page.keyboard.press('ArrowRight');
    expect((await placeOf(page, '#divider')).left).toBeGreaterThan(line.left);
  });

  test('a call stays in its window', async () => {
    const page = await pageIn('en');
    await page.setViewportSize({ width, height: 800 });
    await open(page, `${program.url}/call/turned`);
    await turn(page);
    expect(await sticksOut(page)).toEqual([]);
    await page.fill('#who', 'دانا');
    await page.click('#join');
    await live(page);
    expect(await sticksOut(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
});
