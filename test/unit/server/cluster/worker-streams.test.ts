import { beforeEach, expect, test } from 'vitest';
import type { LiveKitApi, LiveKitParticipant } from '../../../../src/livekit/livekit-api.ts';
import { WorkerStreams } from '../../../../src/server/cluster/worker-streams.ts';
import { DEFAULT_SETTINGS, type SettingsPatch } from '../../../../src/shared/settings.ts';

const JOB = 'faceoff-ann-J';
/** Participants by room. */
let rooms: Map<string, LiveKitParticipant[]>;
/** Number of looks into the camera's room. */
let looks = 0;
/** What happens once an attribute was set. */
let onAsked: (text: string) => void = () => undefined;

const participant = (identity: string, attributes: Record<string, string>): LiveKitParticipant => ({
  identity,
  attributes,
  state: 'ACTIVE',
  joined_at_ms: 1,
  tracks: [],
});
const find = (room: string, identity: string): LiveKitParticipant =>
  rooms.get(room)!.find((one) => one.identity === identity)!;
/** The job says what holds. */
const says = (patch: SettingsPatch, problem?: string): void => {
  const state = { settings: { ...DEFAULT_SETTINGS, ...patch }, problem };
  find('show.in.ann', JOB).attributes['faceoff.state'] = JSON.stringify(state);
};
const asks = (patch: object): void => {
  find('show.in.ann', 'ann').attributes['faceoff.settings'] = JSON.stringify(patch);
};
const asked = (): unknown => JSON.parse(find('show.in.ann', 'ann').attributes['faceoff.settings']!);

/** LiveKit as far as it is asked here; agent.test.ts has the real one. */
const livekit = {
  async participants(room: string) {
    if (room === 'show.in.ann') looks++;
    return structuredClone(rooms.get(room) ?? []);
  },
  async setAttributes(room: string, identity: string, attributes: Record<string, string>) {
    Object.assign(find(room, identity).attributes, attributes);
    onAsked(attributes['faceoff.settings']!);
  },
} as unknown as LiveKitApi;
const streams = new WorkerStreams(livekit);

beforeEach(() => {
  rooms = new Map([
    ['show', [participant(JOB, { 'lk.publish_on_behalf': 'ann' })]],
    ['show.in.ann', [participant('ann', {}), participant(JOB, {})]],
  ]);
  says({});
  looks = 0;
  onAsked = () => undefined;
});

test('a change is asked for by the publisher’s attribute, beside all that holds, and answered by the job', async () => {
  onAsked = () => says({ strength: 0.4 });
  const stream = (await streams.find('show'))!;
  expect(await stream.change({ strength: 0.4 })).toMatchObject({ strength: 0.4, on: true });
  expect(asked()).toMatchObject({ ...DEFAULT_SETTINGS, strength: 0.4 });
});

test('what was asked for and does not hold yet is kept by the next change', async () => {
  asks({ keepEyes: true });
  onAsked = (text) => says(JSON.parse(text));
  const stream = (await streams.find('show'))!;
  expect(stream.settings.keepEyes).toBe(true);
  expect(await stream.change({ strength: 0.4 })).toMatchObject({ strength: 0.4, keepEyes: true });
});

test('a change that a newer one overtakes waits no longer', async () => {
  onAsked = () => asks({ strength: 0.9 });
  const stream = (await streams.find('show'))!;
  looks = 0;
  await stream.change({ strength: 0.4 });
  expect(looks).toBe(1);
});

test('what the job refuses is told, and taken back', async () => {
  asks({ strength: 0.3 });
  says({ strength: 0.3 });
  const stream = (await streams.find('show'))!;
  onAsked = (text) =>
    JSON.parse(text).face === 'gone' ? says({ strength: 0.3 }, 'There is no such face.') : says(JSON.parse(text));
  await expect(stream.change({ face: 'gone' })).rejects.toMatchObject({
    code: 'bad_settings',
    message: 'There is no such face.',
  });
  expect(asked()).toMatchObject({ strength: 0.3, face: DEFAULT_SETTINGS.face });
});

test('an attribute of the publisher’s making that cannot be used counts for nothing', async () => {
  find('show.in.ann', 'ann').attributes['faceoff.settings'] = '{"strength": "much"';
  expect((await streams.find('show'))!.settings).toEqual(DEFAULT_SETTINGS);
});

test.each(['away', 'a.b', 'show.in.ann'])('there is no stream %s', async (name) => {
  expect(await streams.find(name)).toBeNull();
});

test('a call, which several publishers share, is none', async () => {
  rooms.get('show')!.push(participant('faceoff-ben-K', { 'lk.publish_on_behalf': 'ben' }));
  expect(await streams.find('show')).toBeNull();
});
