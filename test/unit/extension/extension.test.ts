import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { DEVICE, forCamera, isForUs } from '../../../extension/constraints.ts';
import { patternOf } from '../../../extension/extension-protocol.ts';
import { EXTENSION } from '../../../src/config.ts';
import { root } from '../../../src/lib/package-root.ts';

const us = DEVICE.deviceId;

test.each([
  ['nothing', undefined, false],
  ['no video', false, false],
  ['any video', true, false],
  ['a size', { width: 640 }, false],
  ['this camera, as a constraints', { deviceId: us }, true],
  ['this camera', { deviceId: { exact: us } }, true],
  ['one of several', { deviceId: { exact: ['other', us] } }, true],
  ['this camera, ideally', { deviceId: { ideal: us } }, true],
  ['this one ideally, and no other than another', { deviceId: { ideal: us, exact: 'other' } }, false],
  ['another', { deviceId: { exact: 'other' } }, false],
  ['another, as a constraints', { deviceId: ['other'] }, false],
  ['its group', { groupId: { exact: DEVICE.groupId } }, true],
  ['this one, in an advanced set', { advanced: [{ deviceId: us }] }, true],
  ['a facing', { facingMode: 'user' }, false],
])('a page that asks for %s', (_what, video, expected) => {
  expect(isForUs(video, false)).toBe(expected);
});

test.each([
  ['nothing', undefined, false],
  ['any video', true, true],
  ['a size', { width: 640 }, true],
  ['another camera', { deviceId: { exact: 'other' } }, false],
  ['another camera, as a constraints', { deviceId: 'other' }, false],
])('with the camera as default, a page that asks for %s', (_what, video, expected) => {
  expect(isForUs(video, true)).toBe(expected);
});

test('the real camera gets all constraints but the device id', () => {
  expect(forCamera(true)).toBe(true);
  expect(forCamera({ deviceId: { exact: us }, groupId: DEVICE.groupId })).toEqual({});
  const constraints = { width: { exact: 640 }, facingMode: 'user', frameRate: 30 };
  const advanced = [{ deviceId: us, height: 480 }];
  expect(forCamera({ ...constraints, deviceId: us, advanced })).toEqual({
    ...constraints,
    advanced: [{ height: 480 }],
  });
});

test.each([
  ['https://meet.google.com/abc-defg?x=1', 'https://meet.google.com/*'],
  ['http://localhost:3000/', 'http://localhost/*'],
  ['chrome://extensions', null],
  ['file:///tmp/a.html', null],
  ['null', null],
  [undefined, null],
])('the site of %s', (url, pattern) => {
  expect(patternOf(url)).toBe(pattern);
});

test('the server knows the extension by its key', () => {
  const { key } = JSON.parse(readFileSync(path.join(root, 'extension/manifest.json'), 'utf8')) as { key: string };
  const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex').slice(0, 32);
  // Chromium writes hexadecimal digits as the letters a to p.
  const id = [...digest].map((digit) => String.fromCharCode(97 + Number.parseInt(digit, 16))).join('');
  expect(EXTENSION).toBe(`chrome-extension://${id}`);
});
