import { expect, test } from 'vitest';
import { guideSteps } from '../../../../src/client/studio/phone-steps.ts';
import type { PhoneGuide } from '../../../../src/shared/messages.ts';

const guide = (patch: Partial<PhoneGuide>): PhoneGuide => ({
  urls: ['https://192.0.2.7:8080/'],
  selfSigned: true,
  step: 'none',
  camera: null,
  stream: null,
  ...patch,
});
const shown = (patch: Partial<PhoneGuide>): string =>
  guideSteps(guide(patch))
    .map(({ state }) => state[0])
    .join('');
const hintOf = (patch: Partial<PhoneGuide>): string | null | undefined =>
  guideSteps(guide(patch)).find(({ state }) => state === 'now')?.hint;

test('steps are done up to the last one, and the next has its turn', () => {
  expect(shown({})).toBe('nllll');
  expect(shown({ step: 'certificate' })).toBe('ddnll');
  expect(shown({ step: 'live' })).toBe('ddddd');
});

test('a certificate that the server did not make is not warned of', () => {
  expect(hintOf({ step: 'network' })).toContain('“Advanced”');
  expect(hintOf({ step: 'network', selfSigned: false })).not.toContain('“Advanced”');
});

test('a camera that does not open says why and what to do', () => {
  expect(hintOf({ step: 'token', camera: 'off' })).toContain('“Start camera”');
  expect(hintOf({ step: 'token', camera: 'asking' })).toBe('Allow the camera on the phone.');
  expect(hintOf({ step: 'token', camera: 'insecure' })).toMatch(/^On the phone: This page may not use a camera\. /);
});
