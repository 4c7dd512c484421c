import { expect, test } from 'vitest';
import { lightProblem } from '../../../../src/client/studio/capture/light-hint.ts';

test.each([
  ['a face in good light', 130, 110, null],
  ['a dark face in a bright room', 50, 150, 'against the light'],
  ['a dark face in a dark room', 40, 35, 'dark'],
  ['a dark skin in good light', 75, 110, null],
  ['a face in front of a white wall', 110, 210, null],
])('the light of %s', (_what, face, whole, expected) => {
  const problem = lightProblem(face, whole);
  if (expected === null) expect(problem).toBeNull();
  else expect(problem).toContain(expected);
});
