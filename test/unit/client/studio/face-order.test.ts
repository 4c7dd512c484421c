import { expect, test } from 'vitest';
import { inOrder, isFound, usesFrom, withUse } from '../../../../src/client/studio/gallery/face-order.ts';
import type { FaceInfo } from '../../../../src/shared/messages.ts';

const face = (id: string, name: string, addedAt: string): FaceInfo => ({ id, name, addedAt }) as FaceInfo;
const faces = [
  face('a', 'Zoë', '2026-01-01T00:00:00Z'),
  face('b', 'adam', '2026-03-01T00:00:00Z'),
  face('c', 'Mona Lisa (Leonardo)', '2026-02-01T00:00:00Z'),
];
const ids = (list: FaceInfo[]): string => list.map(({ id }) => id).join('');

test('faces are ordered by use, name or age; those never used keep their order', () => {
  expect(ids(inOrder(faces, 'used', { c: 5, b: 9 }))).toBe('bca');
  expect(ids(inOrder(faces, 'used', {}))).toBe('abc');
  expect(ids(inOrder(faces, 'name', {}))).toBe('bca');
  expect(ids(inOrder(faces, 'newest', {}))).toBe('bca');
});

test.each([
  ['', 'abc'],
  ['zoe', 'a'],
  ['lisa MONA', 'c'],
  ['nobody at all', ''],
])('the query %j finds %j', (query, found) => {
  expect(ids(faces.filter((one) => isFound(one, query)))).toBe(found);
});

test('uses are kept for so many faces, the newest, and read back without what is none', () => {
  let uses = usesFrom({ old: 1, wrong: 'x' });
  expect(uses).toEqual({ old: 1 });
  for (let i = 0; i < 300; i++) uses = withUse(uses, `face-${i}`, 1000 + i);
  expect(Object.keys(uses)).toHaveLength(200);
  expect(uses).not.toHaveProperty('old');
  expect(uses).toHaveProperty('face-299');
  expect(usesFrom([1, 2])).toEqual({});
});
