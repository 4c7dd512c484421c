/** The pages behind a proxy that serves FaceOff under a path, beside other programs. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { Publisher } from '../support/publisher.ts';
import { type Program, startProgram } from '../support/server.ts';
import { startSubPathProxy } from '../support/sub-path-proxy.ts';

const token = 'a-token-that-nobody-guesses';
let browser: Browser;
let program: Program;
beforeAll(async () => {
  program = await startProgram(['--set', `server.token=${token}`]);
  browser = await launchBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
});

/** A page that notes each request which the server refuses and each script error. */
async function newPage(): Promise<{ page: Page; faults: string[] }> {
  const page = await (await browser.newContext()).newPage();
  const faults: string[] = [];
  page.on('response', (response) => {
    if (response.status() === 404) faults.push(response.url());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  return { page, faults };
}

test.each([
  ['removes its path and names it nowhere', {}, []],
  ['removes its path and names it', { headers: { 'x-forwarded-prefix': '/face', 'x-forwarded-for': '::1' } }, []],
  ['leaves its path in', { removes: false }, ['--set', 'server.basePath=/face']],
])(
  'studio, view and call work behind a proxy that %s',
  async (_name, habit, settings) => {
    const own = settings.length > 0 ? await startProgram(['--set', `server.token=${token}`, ...settings]) : null;
    const { url, close } = await startSubPathProxy((own ?? program).url, habit);
    const { page, faults } = await newPage();
    // The login page in the place of a page further down.
    await page.goto(`${url}/view/studio`);
    await page.fill('#token', token);
    await page.press('#token', 'Enter');
    await page.waitForSelector('body[data-state="waiting"]');
    const studio = await page.context().newPage();
    await studio.goto(`${url}/`);
    await studio.waitForFunction(() => document.querySelector<HTMLImageElement>('[data-face-id] img')?.naturalWidth);
    await studio.click('#start');
    await studio.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
    expect(await studio.inputValue('#view-address')).toBe(`${url}/view/studio`);
    await page.bringToFront();
    await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
    await studio.click('a:text("Start a call")');
    await studio.waitForURL(/\/face\/call\/[\w-]{8}$/);
    await studio.waitForSelector('[data-face-id="astronaut"]', { state: 'attached' });
    expect(faults).toEqual([]);
    await page.context().close();
    await close();
    await own?.stop();
  },
  90_000,
);

test.each([
  ['says that it is one', { 'x-forwarded-for': '192.0.2.1' }],
  ['names its path', { 'x-forwarded-prefix': '/face' }],
])('a publisher finds its session behind a proxy that %s', async (_name, headers) => {
  const { url, close } = await startSubPathProxy(program.url, { headers });
  const camera = new Publisher();
  camera.send(320, 240);
  const authorization = `Bearer ${token}`;
  const answer = await camera.whip(url, '', { authorization });
  const session = new URL(answer.headers.get('location')!, answer.url);
  expect((await fetch(session, { method: 'DELETE', headers: { authorization } })).status).toBe(200);
  camera.close();
  await close();
});
