import { expect, test } from 'vitest';
import { iceServersInLinks } from '../../../../src/client/peer/link-header.ts';

test('servers are read from Link headers, quotes and commas included', () => {
  const header = [
    '<stun:a.example>; rel="ice-server"',
    '<turn:b.example?transport=udp>; rel="ice-server"; username="me \\"and\\" you, too"; credential="a;b"; credential-type="password"',
    '<https://c.example>; rel="help"',
  ].join(', ');
  expect(iceServersInLinks(header)).toEqual([
    { urls: 'stun:a.example' },
    { urls: 'turn:b.example?transport=udp', username: 'me "and" you, too', credential: 'a;b' },
  ]);
});

test.each([[null], [''], ['nonsense'], ['<stun:a>']])('%j holds none', (header) => {
  expect(iceServersInLinks(header)).toEqual([]);
});
