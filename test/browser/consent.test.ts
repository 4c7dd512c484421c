/** A face whose consent is due, or that is blocked while it is live, in the studio. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CONSENT_STATEMENT } from '../../src/shared/duties/consent-statement.ts';
import { launchBrowser } from '../support/browser.ts';
import { astronaut } from '../support/lane.ts';
import { type Program, startProgram } from '../support/server.ts';

const data = mkdtempSync(path.join(os.tmpdir(), 'faceoff-due-'));
const folder = path.join(data, 'faces/old');
let program: Program;
let browser: Browser;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  cpSync(astronaut, path.join(folder, 'photo.webp'));
  const record = { name: 'Before', addedAt: '2026-01-02T00:00:00.000Z', photos: ['photo.webp'] };
  writeFileSync(path.join(folder, 'face.json'), JSON.stringify(record));
  program = await startProgram(['--set', `storage.dir=${data}`]);
  browser = await launchBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
  rmSync(data, { recursive: true, force: true });
});

test('a face whose consent is due is asked for in the gallery, and chosen once it is confirmed', async () => {
  const page = await browser.newPage();
  // The browser remembers the face of an earlier visit.
  await page.addInitScript(() => localStorage.setItem('faceoff.settings', JSON.stringify({ face: 'old' })));
  await page.goto(program.url);
  const card = page.locator('[data-face-id="old"]');
  await card.waitFor();
  expect(await card.textContent()).toContain('Confirm again');
  expect(await card.getAttribute('aria-pressed')).toBe('false');
  await card.click();
  await page.waitForSelector('#confirm[open]');
  expect(await page.textContent('#confirm')).toContain(CONSENT_STATEMENT);
  await page.click('#confirm button[value="cancel"]');
  expect(await card.getAttribute('aria-pressed')).toBe('false');
  await card.click();
  await page.click('#confirm-action');
  await page.waitForSelector('[data-face-id="old"][aria-pressed="true"]');
  expect(await card.textContent()).toContain('1 photo');
  const [confirmation] = JSON.parse(readFileSync(path.join(folder, 'consent.json'), 'utf8'));
  expect(confirmation).toMatchObject({ statement: CONSENT_STATEMENT, photos: [{ photo: 'photo.webp' }] });
  await page.close();
});

test('a face that is added keeps the name of the person who confirmed', async () => {
  const page = await browser.newPage();
  await page.goto(program.url);
  await page.waitForSelector('[data-face-id="astronaut"]');
  await page.setInputFiles('#file', astronaut);
  await page.waitForSelector('#upload[open]');
  await page.check('#consent');
  await page.fill('#confirmer', 'Ada');
  const facesBefore = await page.locator('[data-face-id]').count();
  await page.click('#save');
  await page.locator('[data-face-id]').nth(facesBefore).waitFor();
  const faces = (await (await fetch(`${program.url}/api/faces`)).json()) as { id: string; addedAt: string }[];
  const { id } = faces.reduce((newest, face) => (face.addedAt > newest.addedAt ? face : newest));
  const record = (await (await fetch(`${program.url}/api/faces/${id}/consent`)).json()) as {
    confirmations: { confirmedBy: string }[];
  };
  expect(record.confirmations.map(({ confirmedBy }) => confirmedBy)).toEqual(['Ada']);
  await page.close();
});

test('a face that is blocked while it is live is taken off, and the page says why', async () => {
  const page = await browser.newPage();
  await page.goto(program.url);
  await page.click('[data-face-id="astronaut"]');
  await page.click('#start');
  await page.waitForSelector('body[data-state="live"]');
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(readFileSync(astronaut))]), 'face.webp');
  expect((await fetch(`${program.url}/api/blocked-faces`, { method: 'POST', body: form })).status).toBe(201);
  await page.getByText('The chosen face is gone, blocked,').waitFor();
  await page.waitForFunction(() => document.querySelector('#after-tag')!.textContent === 'As it is');
  expect(await page.locator('[data-face-id="astronaut"]').count()).toBe(0);
  await page.close();
});
