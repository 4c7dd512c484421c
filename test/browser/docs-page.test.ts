/** The page that shows the OpenAPI document, behind a proxy that serves FaceOff under a path. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type EchoServer, startEcho } from '../support/echo.ts';
import { type SubPathProxy, startSubPathProxy } from '../support/sub-path-proxy.ts';

const token = 'a-token-that-nobody-guesses';
let browser: Browser;
let server: EchoServer;
let proxy: SubPathProxy;
beforeAll(async () => {
  server = await startEcho({ server: { token } });
  proxy = await startSubPathProxy(server.url, {});
  browser = await launchBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await proxy?.close();
  await server?.close();
});

test('shows every operation, its schema and its errors, asks no other host, and is filtered', async () => {
  const page = await (await browser.newContext()).newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${proxy.url}/`)) faults.push(request.url());
  });
  await page.goto(`${proxy.url}/api/docs?token=${token}`);
  await page.waitForSelector('section details');
  const document = (await (
    await fetch(`${server.url}/api/openapi.json`, { headers: { authorization: `Bearer ${token}` } })
  ).json()) as { paths: Record<string, Record<string, unknown>>; components: { schemas: object } };
  const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods));
  const shown = await page.locator('details').count();
  expect(shown).toBe(operations.length + Object.keys(document.components.schemas).length);

  const patch = page.locator('#changeSettingsOfStream');
  await patch.locator('summary').click();
  const text = await patch.innerText();
  expect(text).toContain('SettingsPatch');
  expect(text).toContain('bad_settings');
  expect(text).toContain(`curl -X PATCH '${proxy.url}/api/streams/STREAM/settings'`);
  expect(await page.locator('#schema-SettingsPatch pre').textContent()).toMatch(/strength\?: number {2}\/\/ 0 to 1\./);

  await page.locator('nav a', { hasText: 'webrtc' }).click();
  expect(page.url()).toBe(`${proxy.url}/api/docs#group-webrtc`);
  await page.fill('#filter', 'face_turned');
  const left = page.locator('main details:visible .method + code');
  expect(await left.allTextContents()).toEqual(['/api/faces', '/api/faces/preview', '/api/blocked-faces']);
  expect(faults).toEqual([]);
});
