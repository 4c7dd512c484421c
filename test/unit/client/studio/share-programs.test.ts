import { describe, expect, test } from 'vitest';
import { SHARE_PROGRAMS } from '../../../../src/client/studio/panels/share-programs.ts';

const facts = { address: 'https://face.example.com/view/anna', stream: 'anna', isLinux: false, isLocked: false };
const stepsOf = (name: string, more: object = {}): string =>
  SHARE_PROGRAMS.find((one) => one.name === name)!
    .steps({ ...facts, ...more })
    .join(' ');

describe('how to show the picture elsewhere', () => {
  test.each(SHARE_PROGRAMS.map((program) => [program.name, program] as const))('%s has a link', (_name, program) => {
    expect(new URL(program.link(facts).href).protocol).toBe('https:');
    expect(program.link(facts).text).toMatch(/^Open /);
  });

  test('programs take OBS’s camera, and FaceOff’s own under Linux', () => {
    for (const name of ['Zoom', 'Teams', 'Discord']) {
      expect(stepsOf(name)).toContain('OBS Virtual Camera');
      expect(stepsOf(name, { isLinux: true })).toContain('camera --stream anna --output /dev/video10');
    }
  });

  test('the token is spoken of where the server wants one', () => {
    expect(stepsOf('OBS')).not.toContain('token');
    expect(stepsOf('OBS', { isLocked: true })).toContain('?token=');
  });
});
