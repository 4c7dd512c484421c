import { expect, test } from 'vitest';
import { Arrivals, deviceOf } from '../../../../src/server/access/arrivals.ts';

const phone = deviceOf('192.0.2.8')!;
const desk = deviceOf('192.0.2.7')!;

test('a device is its address, behind a proxy what the proxy says of it, and this machine is none', () => {
  expect(deviceOf('127.0.0.1')).toBeNull();
  expect(deviceOf('::ffff:127.0.0.1')).toBeNull();
  expect(deviceOf('::ffff:192.0.2.8')).toBe(phone);
  expect(deviceOf('127.0.0.1', { 'x-forwarded-for': '192.0.2.8' })).not.toBe(
    deviceOf('127.0.0.1', { 'x-forwarded-for': '192.0.2.7' }),
  );
});

test('nothing is remembered while no page follows', () => {
  const arrivals = new Arrivals();
  arrivals.note(phone, 'network');
  const unfollow = arrivals.follow(desk);
  expect(arrivals.furthest([])).toEqual({ step: 'none', camera: null, stream: null });
  arrivals.note(phone, 'network');
  expect(arrivals.furthest([]).step).toBe('network');
  unfollow();
  unfollow();
  arrivals.follow(desk);
  expect(arrivals.furthest([]).step).toBe('none');
});

test('the furthest step counts, and a page that follows is not what it follows', () => {
  const arrivals = new Arrivals();
  arrivals.follow(desk);
  arrivals.note(desk, 'token');
  arrivals.note(phone, 'token');
  arrivals.note(phone, 'certificate');
  expect(arrivals.furthest([{ device: desk, camera: 'open', liveStream: 'desk' }]).step).toBe('token');
  const page = { device: phone, camera: 'denied', liveStream: null } as const;
  expect(arrivals.furthest([page])).toEqual({ step: 'token', camera: 'denied', stream: null });
  expect(arrivals.furthest([{ ...page, camera: 'open' }]).step).toBe('camera');
  expect(arrivals.furthest([{ ...page, liveStream: 'studio' }])).toMatchObject({ step: 'live', stream: 'studio' });
});

test('only so many devices are remembered, the oldest not', () => {
  const arrivals = new Arrivals();
  arrivals.follow(desk);
  arrivals.note(phone, 'token');
  for (let n = 0; n < 64; n++) arrivals.note(deviceOf(`198.51.100.${n}`), 'network');
  expect(arrivals.furthest([]).step).toBe('network');
});
