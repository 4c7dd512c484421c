import { expect, test } from 'vitest';
import { backoffMs } from '../../../../src/client/lib/backoff.ts';
import {
  cameraProblem,
  limitOf,
  noticeOf,
  remarkOf,
  stateText,
} from '../../../../src/client/notices/stream-notices.ts';
import {
  nextState,
  type Reason,
  refusalText,
  retryAfterMs,
  type State,
  type StateEvent,
} from '../../../../src/client/peer/stream-state.ts';

const run = (state: State, ...events: StateEvent[]): State => events.reduce(nextState, state);

test('a stream starts, breaks, comes back and stops', () => {
  expect(run('idle', 'start', 'picture')).toBe('live');
  expect(run('live', 'lost')).toBe('reconnecting');
  expect(run('live', 'lost', 'lost', 'picture')).toBe('live');
  expect(run('live', 'stop')).toBe('stopped');
  expect(run('starting', 'refused')).toBe('failed');
  expect(run('failed', 'start')).toBe('starting');
});

test('late events of a stopped stream change nothing', () => {
  for (const state of ['idle', 'stopped', 'failed'] as const)
    for (const event of ['picture', 'lost', 'refused', 'stop'] as const) expect(nextState(state, event)).toBe(state);
});

test('every failure has a sentence and an advice', () => {
  const reasons: Reason[] = [
    ...([
      'lost',
      'no_way',
      'full',
      'unready',
      'unreachable',
      'refused',
      'insecure',
      'denied',
      'denied_by_system',
    ] as const),
    ...(['no_camera', 'unplugged', 'busy', 'unfit', 'camera_failed', 'stopped', 'welcome'] as const),
  ];
  const notices = reasons.map((reason) => noticeOf({ state: 'failed', reason }));
  for (const notice of notices) {
    expect(notice?.text).toMatch(/\.$|\?$/);
    expect(notice?.action).toBeDefined();
  }
  expect(new Set(notices.map((notice) => notice?.title)).size).toBe(reasons.length);
});

test('a live stream has no notice', () => {
  expect(noticeOf({ state: 'live', reason: 'live' })).toBeNull();
  expect(stateText({ state: 'live', reason: 'live' })).toBe('Live');
});

test("the server's own sentence is shown unchanged", () => {
  expect(noticeOf({ state: 'failed', reason: 'refused', message: 'No codec fits.' })?.text).toBe('No codec fits.');
  expect(noticeOf({ state: 'reconnecting', reason: 'full', message: 'All 4 places are taken.' })?.text).toMatch(
    /^All 4 places are taken\. .*keeps trying/,
  );
});

test('camera errors are told apart', () => {
  const reason = (name: string, message = ''): Reason => cameraProblem({ name, message }).reason;
  expect(reason('NotAllowedError', 'Permission denied')).toBe('denied');
  expect(reason('NotAllowedError', 'Permission denied by system')).toBe('denied_by_system');
  expect(reason('NotFoundError')).toBe('no_camera');
  expect(reason('NotReadableError')).toBe('busy');
  expect(reason('OverconstrainedError')).toBe('unfit');
  expect(cameraProblem({ name: 'Odd' })).toEqual({ reason: 'camera_failed', message: 'The browser says: Odd' });
});

test('a full server is asked again after its retry time, a refused offer is not sent again', () => {
  expect(refusalText({ code: 'server_full', message: 'Full.' })).toEqual({
    event: 'lost',
    reason: 'full',
    message: 'Full.',
  });
  expect(refusalText({ code: 'no_codec', message: 'No.' }).event).toBe('refused');
  expect([retryAfterMs({ retryAfterMs: 5000 }), retryAfterMs({ retryAfterMs: -1 }), retryAfterMs(undefined)]).toEqual([
    5000,
    null,
    null,
  ]);
});

test('attempts come at doubling distances up to eight seconds, never at the same moment for all', () => {
  const late = [0, 1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(attempt, () => 0));
  expect(late).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000]);
  expect(backoffMs(0, () => 1)).toBe(375);
});

test('the picture says why nothing is swapped, only where a swap is wanted', () => {
  const still = { faces: [], level: 0, plan: 'full' };
  const seen = { track: 1, x: 0, y: 0, width: 9, height: 9, swapped: false };
  const one = { on: true, face: 'a', choice: 'all', map: {}, engine: 'mesh' } as const;
  expect(remarkOf(still, one)).toBe('No face in sight');
  expect(remarkOf({ ...still, faces: [seen] }, one)).toBe('Not swapped just now');
  expect(remarkOf({ ...still, level: 4, plan: 'passthrough' }, one)).toMatch(/Too much to do/);
  expect(remarkOf({ ...still, verdict: { cause: 'size', text: '' } }, one)).toMatch(/too large/);
  expect(remarkOf({ ...still, faces: [seen, { ...seen, swapped: true }] }, one)).toBeNull();
  expect(remarkOf(still, { ...one, face: null })).toBeNull();
  expect(remarkOf(still, { ...one, on: false })).toBeNull();
  expect(remarkOf(still, { ...one, choice: 'mapped', map: { 1: null } })).toBeNull();
});

test('a page that shows no numbers says what limits the stream', () => {
  expect(limitOf({ verdict: { cause: 'good', text: 'All well.' } })).toBeNull();
  expect(limitOf({ verdict: { cause: 'network', text: 'The network loses 8 %.' } })).toBe('The network loses 8 %.');
});
