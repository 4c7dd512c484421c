import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type BreakCause, type PeerAttempt, ReconnectingPeer } from '../../../../src/client/peer/reconnecting-peer.ts';

class FakePeer {
  connectionState = 'new';
  onconnectionstatechange: (() => void) | null = null;
  onicecandidate: (() => void) | null = null;
  isClosed = false;

  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  close(): void {
    this.isClosed = true;
  }
}

function setUp() {
  const peers: FakePeer[] = [];
  const events: string[] = [];
  let mayOpen = true;
  let answer: Promise<void> = Promise.resolve();
  const reconnecting = new ReconnectingPeer<PeerAttempt>({
    mayOpen: () => mayOpen,
    create() {
      const peer = new FakePeer();
      peers.push(peer);
      return { peer: peer as unknown as RTCPeerConnection };
    },
    negotiate: () => answer,
    onConnected: () => events.push('connected'),
    onBroken: (_, cause: BreakCause) => events.push(cause),
    onDropped: () => events.push('dropped'),
  });
  return {
    reconnecting,
    peers,
    events,
    forbid: () => {
      mayOpen = false;
    },
    negotiateWith: (promise: Promise<void>) => {
      answer = promise;
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a reconnecting peer', () => {
  test('keeps one attempt at a time, and none where the strategy does not want one', () => {
    const { reconnecting, peers, forbid } = setUp();
    reconnecting.open();
    reconnecting.open();
    expect(peers).toHaveLength(1);
    reconnecting.drop();
    expect(peers[0]!.isClosed).toBe(true);
    forbid();
    reconnecting.open();
    expect(peers).toHaveLength(1);
    expect(reconnecting.current).toBeNull();
  });

  test('gives a disconnected path three seconds to heal', () => {
    const { reconnecting, peers, events } = setUp();
    reconnecting.open();
    peers[0]!.become('connected');
    peers[0]!.become('disconnected');
    vi.advanceTimersByTime(2999);
    peers[0]!.become('connected');
    vi.advanceTimersByTime(10_000);
    expect(events).toEqual(['connected', 'connected']);
    peers[0]!.become('disconnected');
    vi.advanceTimersByTime(3000);
    expect(events).toEqual(['connected', 'connected', 'disconnected']);
  });

  test('breaks at once when the connection failed', () => {
    const { reconnecting, peers, events } = setUp();
    reconnecting.open();
    peers[0]!.become('failed');
    expect(events).toEqual(['failed']);
  });

  test('breaks when its deadline passes, but not once it is settled', () => {
    const { reconnecting, events } = setUp();
    reconnecting.open();
    reconnecting.expectWithin(1000);
    reconnecting.settle();
    vi.advanceTimersByTime(1000);
    expect(events).toEqual([]);
    reconnecting.expectWithin(1000);
    vi.advanceTimersByTime(1000);
    expect(events).toEqual(['late']);
  });

  test('breaks when the signalling rejects, but not for an attempt that was dropped', async () => {
    const { reconnecting, events, negotiateWith } = setUp();
    negotiateWith(Promise.reject(new Error('no answer')));
    reconnecting.open();
    await vi.advanceTimersByTimeAsync(0);
    expect(events).toEqual(['signalling']);
    reconnecting.drop();
    events.length = 0;
    negotiateWith(new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 50)));
    reconnecting.open();
    reconnecting.drop();
    await vi.advanceTimersByTimeAsync(50);
    expect(events).toEqual(['dropped']);
  });

  test('ignores the states of a connection that was dropped', () => {
    const { reconnecting, peers, events } = setUp();
    reconnecting.open();
    peers[0]!.become('disconnected');
    reconnecting.drop();
    peers[0]!.become('failed');
    vi.advanceTimersByTime(5000);
    expect(events).toEqual(['dropped']);
  });

  test('waits longer from attempt to attempt until one is settled', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const { reconnecting, peers } = setUp();
    for (const [waitMs, count] of [
      [500, 1],
      [1000, 2],
      [2000, 3],
    ] as const) {
      reconnecting.retryAfter();
      vi.advanceTimersByTime(waitMs - 1);
      expect(peers).toHaveLength(count - 1);
      vi.advanceTimersByTime(1);
      expect(peers).toHaveLength(count);
      reconnecting.drop();
    }
    reconnecting.settle();
    reconnecting.retryAfter();
    vi.advanceTimersByTime(500);
    expect(peers).toHaveLength(4);
    vi.restoreAllMocks();
  });

  test('calls off a retry when it is dropped', () => {
    const { reconnecting, peers } = setUp();
    reconnecting.retryAfter(10);
    reconnecting.drop();
    vi.advanceTimersByTime(1000);
    expect(peers).toHaveLength(0);
  });
});
