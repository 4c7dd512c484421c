import { expect, test } from 'vitest';
import { NetworkStats } from '../../../../src/client/peer/network-stats.ts';

const buffer = (jitterBufferDelay: number, jitterBufferEmittedCount: number) => ({
  type: 'inbound-rtp',
  kind: 'video',
  jitterBufferDelay,
  jitterBufferEmittedCount,
});

test('the round trip is that of the pair in use, else what the other side reports', () => {
  const unused = { type: 'candidate-pair', nominated: false, currentRoundTripTime: 9 };
  const used = { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.012 };
  const remote = { type: 'remote-inbound-rtp', roundTripTime: 0.02 };
  expect(new NetworkStats().read([unused, used, remote]).roundTripMs).toBeCloseTo(12);
  expect(new NetworkStats().read([unused, remote]).roundTripMs).toBeCloseTo(20);
  expect(new NetworkStats().read([])).toEqual({ roundTripMs: null, bufferMs: null });
});

test('the buffer is that of the time since the last reading, also after a new connection', () => {
  const reader = new NetworkStats();
  expect(reader.read([buffer(3, 30)]).bufferMs).toBeCloseTo(100);
  expect(reader.read([buffer(4, 60)]).bufferMs).toBeCloseTo(1000 / 30);
  expect(reader.read([buffer(4, 60)]).bufferMs).toBeNull();
  expect(reader.read([buffer(0.5, 10)]).bufferMs).toBeCloseTo(50);
});
