import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { iceServersOf } from '../../../../src/server/webrtc/ice-servers.ts';

test('ICE servers are passed on as configured, without unset fields', () => {
  const iceServers = [{ urls: ['stun:a'] }, { urls: ['turn:b'], username: 'me', credential: 'word' }];
  expect(iceServersOf({ iceServers, turnLifetimeMs: 1000 })).toEqual(iceServers);
});

test('a shared secret becomes a user name that ends in time, signed as a TURN server checks it', () => {
  const iceServers = [{ urls: ['turn:b'], secret: 'shared' }];
  const told = iceServersOf({ iceServers, turnLifetimeMs: 60_000 }, 1_700_000_000_000);
  const username = '1700000060:faceoff';
  const credential = createHmac('sha1', 'shared').update(username).digest('base64');
  expect(told).toEqual([{ urls: ['turn:b'], username, credential }]);
});
