import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { accessToken } from '../../../src/livekit/access-token.ts';
import { cameraRoom, jobIdentity, publisherOf } from '../../../src/livekit/room-names.ts';
import { jobToken, publisherTickets, viewerTicket } from '../../../src/livekit/stream-tokens.ts';
import { isJob } from '../../../src/shared/cluster/cluster-names.ts';

const issuer = { key: 'key', secret: 'secret', agentName: 'faceoff', lifetimeMs: 60_000 };
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, Record<string, unknown>>;

test('a token is signed, and ends', () => {
  const token = accessToken(issuer, { grant: { roomList: true }, lifetimeMs: 1500 }, 1_700_000_000_900);
  const [head, body, signature] = token.split('.');
  expect(JSON.parse(Buffer.from(head!, 'base64url').toString())).toEqual({ alg: 'HS256', typ: 'JWT' });
  expect(claimsOf(token)).toEqual({ iss: 'key', nbf: 1_700_000_000, exp: 1_700_000_002, video: { roomList: true } });
  expect(signature).toBe(createHmac('sha256', 'secret').update(`${head}.${body}`).digest('base64url'));
});

test('a publisher sends its camera where it cannot watch, and watches where it can send a microphone alone', () => {
  const { camera, sound } = publisherTickets(issuer, { stream: 'show', publisher: 'ann' }, { face: 'astronaut' });
  expect(camera.room).toBe('show.in.ann');
  expect(claimsOf(camera.token)).toMatchObject({
    sub: 'ann',
    video: {
      roomJoin: true,
      room: 'show.in.ann',
      canPublishSources: ['camera'],
      canSubscribe: false,
      canPublishData: false,
    },
    attributes: { 'faceoff.settings': '{"face":"astronaut"}' },
    roomConfig: { agents: [{ agentName: 'faceoff' }] },
  });
  expect(sound.room).toBe('show');
  expect(claimsOf(sound.token).video).toMatchObject({
    room: 'show',
    canPublishSources: ['microphone'],
    canSubscribe: true,
  });
  // A microphone's room starts no worker.
  expect(claimsOf(sound.token)).not.toHaveProperty('roomConfig');
});

test('a viewer publishes nothing, and a job a camera alone', () => {
  const viewer = claimsOf(viewerTicket(issuer, 'show', 'vic').token).video!;
  expect(viewer).toMatchObject({ room: 'show', canPublish: false, canPublishData: false, canSubscribe: true });
  const job = claimsOf(jobToken(issuer, { stream: 'show', publisher: 'ann' }, 'faceoff-ann-J'));
  expect(job.video).toMatchObject({ room: 'show', canPublishSources: ['camera'], canSubscribe: false });
  expect(job.attributes).toEqual({ 'lk.publish_on_behalf': 'ann' });
});

test.each(['', 'a.in.b', 'a b', 'ä', 'x'.repeat(65)])('no stream and no person is called %j', (name) => {
  expect(() => viewerTicket(issuer, name, 'vic')).toThrow(/letters, digits/);
  expect(() => publisherTickets(issuer, { stream: name, publisher: 'ann' })).toThrow(/letters, digits/);
  expect(() => publisherTickets(issuer, { stream: 'show', publisher: name })).toThrow(/letters, digits/);
});

test('no person is called as a job is', () => {
  expect(() => viewerTicket(issuer, 'show', 'faceoff-ann-J')).toThrow(/does not begin with faceoff-/);
  expect(() => publisherTickets(issuer, { stream: 'show', publisher: 'faceoff-x' })).toThrow(/faceoff-/);
});

test('the room of a camera names its publisher, and no other room does', () => {
  const ann = { stream: 'show', publisher: 'ann' };
  expect(publisherOf(cameraRoom(ann))).toEqual(ann);
  for (const room of ['show', 'show.in', 'show.in.', 'show.out.ann', 'show.in.ann.x', '.in.ann'])
    expect(publisherOf(room)).toBeNull();
  expect([isJob(jobIdentity('ann', 'AJ_1')), isJob('ann')]).toEqual([true, false]);
});
