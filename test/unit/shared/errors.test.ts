import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { ERRORS, type ErrorEntry, isErrorCode } from '../../../src/shared/error-catalogue.ts';
import { FaceOffError, fromWire, messageOf, toWire } from '../../../src/shared/errors.ts';

const entries = Object.entries<ErrorEntry>(ERRORS);

test('docs/errors.md lists the catalogue', () => {
  const listed = [
    ...readFileSync(path.join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `(\w+)` \| (\d+) \| (.*) \|$/gm),
  ];
  expect(listed.map(([, code, status, meaning]) => [code, { status: Number(status), meaning }])).toEqual(entries);
});

test('every meaning is one sentence, every status one of an error', () => {
  for (const [code, { status, meaning }] of entries) {
    expect([code, meaning]).toEqual([code, expect.stringMatching(/^\S.*\.$/)]);
    expect([code, status >= 400 && status < 600]).toEqual([code, true]);
  }
});

test('an error has the status of its code', () => {
  expect(new FaceOffError('unknown_face', 'There is none.')).toMatchObject({ code: 'unknown_face', status: 404 });
});

test('an error crosses a thread with code, status and details, a defect with its stack', () => {
  const details = { faces: 2 };
  const crossed = fromWire(structuredClone(toWire(new FaceOffError('several_faces', 'Two.', { details }))));
  expect(crossed).toBeInstanceOf(FaceOffError);
  expect(crossed).toMatchObject({ code: 'several_faces', status: 409, message: 'Two.', details });
  const defect = new TypeError('no');
  expect(fromWire(structuredClone(toWire(defect)))).toMatchObject({
    code: 'internal',
    status: 500,
    stack: defect.stack,
  });
  expect(fromWire(toWire('no'))).toMatchObject({ code: 'internal', message: 'no' });
});

test('anything that was thrown has a sentence', () => {
  expect(messageOf(new Error('no'))).toBe('no');
  expect(messageOf(7)).toBe('7');
});

test('a text from elsewhere is a code only if the catalogue has it', () => {
  expect(['no_publisher', 'toString', ''].map(isErrorCode)).toEqual([true, false, false]);
});
