import { expect, test } from 'vitest';
import { locationOf, toRoot, withoutBase } from '../../../../src/server/access/base-path.ts';

test.each([
  ['reached directly', '/whip', {}, '/', '/whip/1'],
  ['a proxy that names its path', '/whip', { 'x-forwarded-prefix': '/face/' }, '/', '/face/whip/1'],
  ['two proxies that name theirs', '/whip', { 'x-forwarded-prefix': '/face, /other' }, '/', '/face/whip/1'],
  ['a path in the settings', '/whip', {}, '/face', '/face/whip/1'],
  ['a proxy that says nothing of its path', '/whip', { 'x-forwarded-for': '192.0.2.1' }, '/', './whip/1'],
  ['the same, with a slash at the end', '/whip/?face=a', { via: '1.1 proxy' }, '/', '../whip/1'],
  ['a browser that opens a page', '/whip', { 'sec-fetch-mode': 'navigate' }, '/', './whip/1'],
  ['a path that is none', '/whip', { 'x-forwarded-prefix': '//evil.example' }, '/', '/whip/1'],
  ['a path with a line in it', '/whip', { 'x-forwarded-prefix': '/a"b' }, '/', '/whip/1'],
])('where a session is: %s', (_name, url, headers, basePath, expected) => {
  expect(locationOf({ headers, url }, '/whip/1', basePath)).toBe(expected);
});

test('the base path is removed where a proxy left it in, and nowhere else', () => {
  expect(withoutBase('/face/whip?a=1', {}, '/face')).toBe('/whip?a=1');
  expect(withoutBase('/whip', {}, '/face')).toBe('/whip');
  expect(withoutBase('/faces', {}, '/face')).toBe('/faces');
  expect(withoutBase('/face/view/x', { 'x-forwarded-prefix': '/face' }, '/')).toBe('/view/x');
});

test('the root as seen from a page', () => {
  expect(['/', '/view', '/view/a?b=/c', '/view/a/', '/api/x/y'].map(toRoot)).toEqual([
    './',
    './',
    '../',
    '../../',
    '../../',
  ]);
});
