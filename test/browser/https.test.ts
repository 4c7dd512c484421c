/** The studio as another machine sees it: by HTTPS with a certificate of our own making, after the login. */

import { networkInterfaces } from 'node:os';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type Program, startProgram } from '../support/server.ts';

const token = 'a-token-that-nobody-guesses';
/** An address of this machine that others would use; a machine without a network has only its own. */
const address =
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';

let browser: Browser;
let program: Program;
beforeAll(async () => {
  program = await startProgram(['--host', '0.0.0.0', '--set', `server.token=${token}`]);
  browser = await launchBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
});

test('over HTTPS a camera is swapped and a second browser views the stream', async () => {
  const url = program.url.replace('0.0.0.0', address);
  expect(url).toMatch(/^https:/);
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  await page.goto(url);
  await page.fill('#token', token);
  await page.press('#token', 'Enter');
  await page.waitForSelector('[data-face-id="astronaut"]');
  await page.click('#start');
  await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
  const view = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  await view.goto(`${await page.inputValue('#view-address')}?token=${token}`);
  await view.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
  const [cookie] = await view.context().cookies();
  expect(cookie).toMatchObject({ name: 'faceoff', httpOnly: true, secure: true, sameSite: 'Lax' });
});
