/** A link towards rooms that the test plays: no media library is needed. */

import { EventEmitter } from 'node:events';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type LinkTarget, type RoomLink, RoomLinks } from '../../../src/agent/room-link.ts';
import type { RtcFrameEvent, RtcLibrary } from '../../../src/agent/rtc-library.ts';
import type { Frame } from '../../../src/shared/types.ts';

const CAMERA = 1;
const MICROPHONE = 2;
const I420 = 5;
const RGBA = 0;

class FakeRoom extends EventEmitter {
  remoteParticipants = new Map<string, object>();
  isConnected = false;
  attributes: Record<string, string>[] = [];
  connecting: () => Promise<void> = async () => undefined;
  localParticipant = {
    publishTrack: async () => ({ sid: 'T1' }),
    unpublishTrack: async () => undefined,
    setAttributes: async (attributes: Record<string, string>) => {
      this.attributes.push(attributes);
      throw new Error('the room was left');
    },
  };
  async connect(): Promise<void> {
    await this.connecting();
    this.isConnected = true;
  }
  async disconnect(): Promise<void> {
    this.isConnected = false;
    throw new Error('it was not connected');
  }
}

let rooms: FakeRoom[] = [];
/** Gives pictures to the link. */
let pictures: ReadableStreamDefaultController<RtcFrameEvent> | null = null;
let frames: Frame[] = [];
let states: string[] = [];
let settings: string[] = [];
let successors = 0;
/** Whether the track of a stream of pictures is gone. */
let isTrackGone = false;
let link: RoomLink;

const library = {
  Room: class extends FakeRoom {
    constructor() {
      super();
      rooms.push(this);
    }
  },
  VideoStream: class extends ReadableStream<RtcFrameEvent> {
    constructor() {
      if (isTrackGone) throw new Error('the handle is gone');
      super({
        start(controller) {
          pictures = controller;
        },
      });
    }
  },
  VideoSource: class {
    captureFrame(): void {}
    async close(): Promise<void> {}
  },
  VideoFrame: class {},
  TrackPublishOptions: class {},
  LocalVideoTrack: { createVideoTrack: () => ({ close: async () => undefined }) },
  VideoBufferType: { I420 },
  VideoCodec: { VP8: 0, H264: 1 },
  TrackSource: { SOURCE_CAMERA: CAMERA },
} as unknown as RtcLibrary;

const target: LinkTarget = {
  stream: 'show',
  publisher: 'ann',
  url: 'ws://127.0.0.1',
  identity: 'faceoff-ann-J1',
  cameraToken: 'a',
  streamToken: 'b',
  onSettings: (text) => settings.push(text),
  onSuccessor: () => successors++,
};
const publisher = { identity: 'ann', attributes: { 'faceoff.settings': '{"strength":0.5}' } };
const camera = (): FakeRoom => rooms[0]!;
const stream = (): FakeRoom => rooms[1]!;
/** A track of a participant comes. */
const comes = (source = CAMERA, identity = 'ann'): boolean =>
  camera().emit('trackSubscribed', {}, { source }, { identity });
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const i420 = (width: number, height: number): RtcFrameEvent['frame'] => ({
  width,
  height,
  type: I420,
  data: Uint8Array.from({ length: (width * height * 3) / 2 }, (_, n) => n % 251),
  convert: () => i420(width, height),
});

beforeEach(() => {
  [rooms, frames, states, settings, successors, pictures, isTrackGone] = [[], [], [], [], 0, null, false];
  link = new RoomLinks(library, { codec: 'h264', kbps: 3000 }, pino({ level: 'silent' })).open({
    onFrame: (frame) => frames.push(frame),
    onSound: null,
    onState: (state) => states.push(state),
    onCandidate: () => undefined,
  });
  camera().remoteParticipants.set('ann', publisher);
});
afterEach(() => link.close());

test('reads the publisher’s camera, and nothing else', async () => {
  await link.join(target);
  expect(states).toEqual(['connected']);
  expect(settings).toEqual(['{"strength":0.5}']);
  comes(CAMERA, 'bob');
  comes(MICROPHONE);
  expect(pictures).toBeNull();
  comes();
  expect(pictures).not.toBeNull();
});

test('a received picture is copied, so that it can be moved, and made upright', async () => {
  await link.join(target);
  comes();
  const frame = i420(32, 16);
  pictures!.enqueue({ frame, rotation: 0 });
  pictures!.enqueue({ frame, rotation: 1 });
  await settle();
  expect(frames.map(({ width, height }) => [width, height])).toEqual([
    [32, 16],
    [16, 32],
  ]);
  expect(frames[0]!.data).toEqual(frame.data);
  expect(frames[0]!.data.buffer).not.toBe(frame.data.buffer);
  expect(frames[0]!.data.buffer.byteLength).toBe(frame.data.length);
});

test('a picture that is not I420 is converted, and one with a side under 16 pixels left out', async () => {
  await link.join(target);
  comes();
  const convert = vi.fn(() => i420(32, 32));
  pictures!.enqueue({ frame: { ...i420(32, 32), type: RGBA, convert }, rotation: 0 });
  pictures!.enqueue({ frame: i420(640, 14), rotation: 0 });
  await settle();
  expect(convert).toHaveBeenCalledWith(I420);
  expect(frames).toHaveLength(1);
});

test('another camera of the publisher takes the place of the first', async () => {
  await link.join(target);
  comes();
  const first = pictures!;
  comes();
  pictures!.enqueue({ frame: i420(32, 32), rotation: 0 });
  await settle();
  expect(() => first.enqueue({ frame: i420(16, 16), rotation: 0 })).toThrow();
  expect(frames).toHaveLength(1);
});

test('a track that is gone when it is announced is left out, and the next one is read', async () => {
  await link.join(target);
  isTrackGone = true;
  comes();
  isTrackGone = false;
  comes();
  pictures!.enqueue({ frame: i420(32, 32), rotation: 0 });
  await settle();
  expect(frames).toHaveLength(1);
});

test.each(['camera', 'stream'])('the state of the %s’s room is told', async (which) => {
  await link.join(target);
  const room = which === 'camera' ? camera() : stream();
  room.emit('reconnecting');
  room.emit('reconnected');
  room.emit('disconnected', 1);
  expect(states).toEqual(['connected', 'disconnected', 'connected', 'closed']);
});

test('both rooms have to come back, and within three seconds', async () => {
  await link.join(target);
  vi.useFakeTimers();
  try {
    for (const room of [camera(), stream()]) room.emit('reconnecting');
    camera().emit('reconnected');
    expect(states).toEqual(['connected', 'disconnected', 'disconnected']);
    stream().emit('reconnected');
    vi.advanceTimersByTime(3000);
    expect(states.slice(3)).toEqual(['connected']);
    stream().emit('reconnecting');
    vi.advanceTimersByTime(2999);
    expect(states.slice(4)).toEqual(['disconnected']);
    vi.advanceTimersByTime(1);
    expect(states.slice(5)).toEqual(['closed']);
  } finally {
    vi.useRealTimers();
  }
});

test('a publisher that leaves, or is gone when the job comes, ends the link', async () => {
  await link.join(target);
  camera().emit('participantDisconnected', { identity: 'bob' });
  expect(states).toEqual(['connected']);
  camera().emit('participantDisconnected', { identity: 'ann' });
  expect(states).toEqual(['connected', 'closed']);
});

test('a room that cannot be entered fails the join', async () => {
  stream().connecting = async () => {
    throw new Error('no permission');
  };
  await expect(link.join(target)).rejects.toThrow('no permission');
  expect(states).toEqual([]);
});

test('closing while the rooms are entered leaves them, and tells nothing any more', async () => {
  let enter = (): void => undefined;
  stream().connecting = () =>
    new Promise((resolve) => {
      enter = resolve;
    });
  const joining = link.join(target);
  await settle();
  link.close();
  enter();
  await joining;
  await settle();
  expect([camera().isConnected, stream().isConnected]).toEqual([false, false]);
  expect(states).toEqual([]);
});

test('changed settings of the publisher are told, and those of others not', async () => {
  await link.join(target);
  camera().emit('participantAttributesChanged', { 'faceoff.settings': '{}' }, { identity: 'ann' });
  camera().emit('participantAttributesChanged', { 'faceoff.settings': '{"on":false}' }, { identity: 'bob' });
  camera().emit('participantAttributesChanged', { other: '1' }, { identity: 'ann' });
  expect(settings).toEqual(['{"strength":0.5}', '{}']);
});

test('another job of the publisher is a successor, its own track and those of others are none', async () => {
  await link.join(target);
  for (const identity of ['faceoff-ann-J1', 'faceoff-bob-J2', 'ann']) stream().emit('trackPublished', {}, { identity });
  expect(successors).toBe(0);
  stream().emit('trackPublished', {}, { identity: 'faceoff-ann-J2' });
  expect(successors).toBe(1);
});

test('whether pictures are modified is an attribute in the stream’s room, and what the library refuses raises nothing', async () => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  link.sendMessage('{"type":"disclosure","aiModified":true}');
  await link.join(target);
  link.sendMessage('{"type":"disclosure","aiModified":true}');
  link.sendMessage('{"type":"disclosure","aiModified":false}');
  link.showPublisher({ 'faceoff.state': '{}' });
  link.close();
  await settle();
  process.off('unhandledRejection', unhandled);
  expect(stream().attributes.map((one) => one['faceoff.disclosure'])).toEqual([
    '{"type":"disclosure","aiModified":true}',
    '{"type":"disclosure","aiModified":false}',
  ]);
  expect(camera().attributes).toEqual([{ 'faceoff.state': '{}' }]);
  expect(unhandled).not.toHaveBeenCalled();
});
