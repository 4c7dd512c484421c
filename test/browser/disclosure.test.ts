/** What pages say of modified pictures, seen and spoken, and how they ask before the mark is left off. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchWithPerson } from '../support/browser.ts';
import { type Program, startProgram, until } from '../support/server.ts';

let program: Program;
let browser: Browser;

beforeAll(async () => {
  program = await startProgram();
  browser = await launchWithPerson();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
});

async function open(path: string): Promise<Page> {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  await page.goto(program.url + path);
  return page;
}

const live = (page: Page) => page.waitForSelector('body[data-state="live"]', { timeout: 30_000 });
/** What the accessibility tree holds. */
const spoken = (page: Page): Promise<string> => page.locator('body').ariaSnapshot();
const listed = async (): Promise<{ stream: string; unmarked: { by: string } | null; settings: { badge: boolean } }[]> =>
  (await (await fetch(`${program.url}/api/sessions`)).json()) as never;

async function join(name: string): Promise<Page> {
  const page = await open('/call/trust');
  await page.fill('#who', name);
  await page.click('#join');
  await live(page);
  return page;
}

test('/view says in its accessibility tree and in its title that the picture is modified, as long as it is', async () => {
  const studio = await open('/');
  await studio.click('#start');
  await live(studio);
  const view = await open('/view/studio');
  await live(view);
  expect(await spoken(view)).toContain('status: The face in this picture was modified by AI.');
  expect(await view.title()).toContain('AI face modified');
  await studio.click('#on');
  await until(async () => !(await spoken(view)).includes('modified by AI'), 'the words to go');
  expect(await view.title()).not.toContain('AI');
  await view.context().close();
  await studio.context().close();
});

test('a call tells people who join that faces may be changed, and each tile whose face is, also in the accessibility tree', async () => {
  const ann = await join('Ann');
  const bob = await join('Bob');
  await bob.waitForSelector('.tile[data-live="true"]:not(.own)', { timeout: 30_000 });
  await until(async () => /paragraph: Ann AI face modified/.test(await spoken(bob)), 'the word on the tile');
  expect(await spoken(bob)).toContain('status: Faces in this call may be changed by AI.');
  await ann.click('[data-face-id=""]');
  await until(async () => !/Ann AI face modified/.test(await spoken(bob)), 'the word to go');
  await ann.context().close();
  await bob.context().close();
});

test('the studio shows its own picture without the mark, says so beside it, and asks before the others get it so', async () => {
  const page = await open('/');
  await page.click('#start');
  await live(page);
  const mark = async (): Promise<boolean> => (await listed())[0]!.settings.badge;
  expect(await spoken(page)).toContain('status: Others see this picture with “AI face modified” in it');
  expect([await page.isChecked('#badge'), await mark()]).toEqual([true, true]);
  await page.click('#badge');
  await page.waitForSelector('#confirm[open]');
  expect(await page.textContent('#confirm')).toContain('article 50');
  await page.click('#confirm button[value="cancel"]');
  expect([await page.isChecked('#badge'), await mark()]).toEqual([true, true]);
  await page.click('#badge');
  await page.click('#confirm-action');
  await until(async () => !(await mark()), 'the mark to go');
  expect((await listed())[0]!.unmarked).toMatchObject({ by: 'publisher' });
  await until(async () => (await spoken(page)).includes('Others see this picture without a mark'), 'the line');
  await page.reload();
  await page.click('#start');
  await live(page);
  expect([await page.isChecked('#badge'), await mark()]).toEqual([true, true]);
  await page.context().close();
});
