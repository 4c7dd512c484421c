/** The page that looks for the invisible mark, behind a proxy that serves FaceOff under a path. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frameToRgb } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import { launchBrowser } from '../support/browser.ts';
import { type EchoServer, startEcho } from '../support/echo.ts';
import { type SubPathProxy, startSubPathProxy } from '../support/sub-path-proxy.ts';
import { sceneOf, testWatermark } from '../support/watermark.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-detector-'));
let browser: Browser;
let server: EchoServer;
let proxy: SubPathProxy;
let page: Page;
const faults: string[] = [];
const posted: string[] = [];

async function writePicture(name: string, isMarked: boolean): Promise<string> {
  const frame = sceneOf(960, 540, 1);
  if (isMarked) (await testWatermark()).mark(frame);
  const file = path.join(folder, name);
  await sharp(frameToRgb(frame), { raw: { width: 960, height: 540, channels: 3 } })
    .png()
    .toFile(file);
  return file;
}

beforeAll(async () => {
  server = await startEcho();
  proxy = await startSubPathProxy(server.url, {});
  browser = await launchBrowser();
  page = await (await browser.newContext()).newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('request', (request) => request.method() !== 'GET' && posted.push(request.url()));
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await proxy?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the page says about a file. */
async function said(file: string): Promise<string> {
  await page.goto(`${proxy.url}/detect`);
  await page.setInputFiles('#file', file);
  await page.waitForFunction(() => /mark|read/.test(document.getElementById('result')!.textContent!), null, {
    timeout: 60_000,
  });
  return page.locator('#result').innerText();
}

test('finds the mark in a marked picture, none in another, and sends neither anywhere', async () => {
  expect(await said(await writePicture('marked.png', true))).toMatch(/^AI-modified: it has FaceOff’s mark \(score /);
  expect(await said(await writePicture('plain.png', false))).toMatch(/^No mark was found \(score /);
  expect(posted).toEqual([]);
  expect(faults).toEqual([]);
}, 180_000);

test('says that it cannot read what is no picture', async () => {
  expect(await said(path.join(root, 'package.json'))).toMatch(/^This browser cannot read the file/);
}, 120_000);
