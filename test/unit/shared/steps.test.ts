import { expect, test } from 'vitest';
import type { FaceInfo } from '../../../src/shared/messages.ts';
import { stepFace, toggled } from '../../../src/shared/steps.ts';
import { swapSettings } from '../../support/settings.ts';

const faces = ['a', 'b', 'c'].map((id) => ({ id, consentDue: false }) as FaceInfo);

test.each([
  ['a', 1, 'b'],
  ['c', 1, 'a'],
  ['a', -1, 'c'],
  [null, 1, 'a'],
  [null, -1, 'c'],
  ['gone', 1, 'a'],
] as const)('from %s by %i to %s', (face, by, next) => {
  expect(stepFace(faces, face, by)).toBe(next);
});

test('stepping finds nothing among no faces, and the same one among one', () => {
  expect(stepFace([], 'a', 1)).toBeNull();
  expect(stepFace(faces.slice(0, 1), 'a', -1)).toBe('a');
});

test('a toggle turns one switch and leaves the others', () => {
  expect(toggled(swapSettings(), 'on')).toEqual({ on: false });
  expect(toggled(swapSettings({ on: false, keepEyes: true }), 'keepEyes')).toEqual({ keepEyes: false });
});
