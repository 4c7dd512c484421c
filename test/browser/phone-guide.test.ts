/** The guide for a phone: a desktop's page ticks off the steps that another device goes, by the address of this machine. */

import { networkInterfaces } from 'node:os';
import tls from 'node:tls';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type Program, startProgram } from '../support/server.ts';

const token = 'a-token-that-nobody-guesses';
/** An address of this machine that is not its loopback: what comes from there counts as another device. */
const address = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, ignoreHTTPSErrors: true };
/** Where screenshots go, to be looked at; none without it. */
const shots = process.env.GUIDE_SHOTS;

let browser: Browser;
let program: Program;
const contexts: BrowserContext[] = [];
beforeAll(async () => {
  program = await startProgram(['--host', '0.0.0.0', '--set', `server.token=${token}`]);
  browser = await launchBrowser();
}, 120_000);
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});
afterAll(async () => {
  await browser?.close();
  await program?.stop();
});

const urlAt = (host: string): string => program.url.replace('0.0.0.0', host);

async function newPage(options: Parameters<Browser['newContext']>[0]): Promise<Page> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  contexts.push(context);
  return context.newPage();
}

async function openDesk(colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
  const desk = await newPage({ viewport: { width: 1280, height: 900 }, colorScheme });
  await desk.goto(`${urlAt('127.0.0.1')}/?token=${token}`);
  await desk.waitForSelector('[data-face-id="astronaut"]');
  await desk.click('#phone summary');
  await desk.waitForSelector('#phone-steps li');
  return desk;
}

/** Waits until so many steps are done. @returns what the page then tells to do. */
async function expectDone(desk: Page, count: number): Promise<string> {
  const done = (n: number): boolean => document.querySelectorAll('#phone-steps [data-state="done"]').length === n;
  await desk.waitForFunction(done, count, { timeout: 20_000 });
  if (shots !== undefined) {
    await desk.locator('#phone').scrollIntoViewIfNeeded();
    await desk.screenshot({ path: `${shots}/phone-guide-${count}.png` });
  }
  return (await desk.locator('#phone-steps [aria-current="step"] small').allTextContents()).join();
}

/** As a browser that does not accept the certificate. */
const refuseCertificate = (host: string, port: number): Promise<void> =>
  new Promise((resolve) => {
    const socket = tls.connect({ host, port });
    socket.once('error', () => resolve());
    socket.once('secureConnect', () => resolve());
  });

describe.skipIf(address === undefined)(`a phone${address === undefined ? ' (skipped: no network)' : ''}`, () => {
  test('ticks off network, certificate, token, camera and live on the page beside it', async () => {
    const desk = await openDesk('dark');
    expect(await desk.inputValue('#phone-address')).toBe(`${urlAt(address!)}/`);
    expect(await desk.locator('#phone-code svg path').getAttribute('d')).toMatch(/^M4 4h1/);
    expect(await expectDone(desk, 0)).toContain('Wi-Fi');

    await refuseCertificate(address!, Number(new URL(program.url).port));
    expect(await expectDone(desk, 1)).toContain('go on to the page');

    const phone = await newPage(PHONE);
    await phone.goto(urlAt(address!));
    expect(await expectDone(desk, 2)).toContain('server.token');

    await phone.fill('#token', token);
    await phone.press('#token', 'Enter');
    await phone.waitForSelector('[data-face-id="astronaut"]');
    expect(await expectDone(desk, 3)).toContain('Start camera');
    if (shots !== undefined) await phone.screenshot({ path: `${shots}/phone-ready.png` });

    await phone.click('#notice-action');
    await phone.waitForSelector('body[data-state="live"]', { timeout: 20_000 });
    expect(await expectDone(desk, 5)).toBe('');
    expect(await desk.getAttribute('#phone-view', 'href')).toBe(`${urlAt('127.0.0.1')}/view/studio`);
    expect(await phone.isVisible('#phone')).toBe(false);

    await phone.close();
    expect(await expectDone(desk, 3)).toContain('Start camera');
    // Logs tell no addresses: neither the phone's nor the desk's.
    expect(program.said()).not.toContain(`"${address}"`);
  }, 120_000);

  test('says on the page beside it why its camera does not open', async () => {
    const desk = await openDesk();
    const phone = await newPage(PHONE);
    await phone.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    });
    await phone.goto(`${urlAt(address!)}/?token=${token}`);
    await phone.waitForSelector('[data-face-id="astronaut"]');
    await phone.click('#notice-action');
    await phone.waitForSelector('body[data-reason="denied"]');
    await desk.waitForFunction(() => document.querySelector('#phone-steps')!.textContent!.includes('not allowed'));
    expect(await expectDone(desk, 3)).toContain(
      'On the phone: The camera is not allowed. Open the camera or lock sign',
    );
  }, 60_000);
});

test('a page beside no phone is not its own phone', async () => {
  const desk = await openDesk();
  await desk.click('#start');
  await desk.waitForSelector('body[data-state="live"]', { timeout: 20_000 });
  expect(await expectDone(desk, 0)).toContain('Wi-Fi');
}, 60_000);

test('a server of this machine alone says how it is opened', async () => {
  const local = await startProgram();
  const desk = await newPage({ colorScheme: 'dark', viewport: { width: 1280, height: 900 } });
  await desk.goto(local.url);
  await desk.click('#phone summary');
  await desk.waitForSelector('#phone-closed:not([hidden])');
  expect(await desk.textContent('#phone-closed')).toContain('npm start -- --host 0.0.0.0');
  expect(await desk.isVisible('#phone-open')).toBe(false);
  await local.stop();
}, 60_000);
