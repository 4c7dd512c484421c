import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RtcLibrary, RtcRoom } from '../../../src/agent/rtc-library.ts';
import { SwappedTrack } from '../../../src/agent/swapped-track.ts';
import type { Frame } from '../../../src/shared/types.ts';

/** What the library was told. */
let told: string[] = [];
let publishing: () => Promise<void> = async () => undefined;
let faults: string[] = [];
let track: SwappedTrack;

/** Whether the source is gone. */
let isGone = false;

class Source {
  captureFrame({ data }: { data: Uint8Array }): void {
    if (isGone) throw new Error('the handle is gone');
    told.push(`picture ${data[0]}`);
  }
  async close(): Promise<void> {
    told.push('source closed');
  }
}
class VideoFrame {
  readonly data: Uint8Array;
  constructor(data: Uint8Array) {
    this.data = data;
  }
}
class TrackPublishOptions {
  readonly given: object;
  constructor(given: object) {
    this.given = given;
  }
}
let tracks = 0;
const library = {
  VideoSource: Source,
  VideoFrame,
  TrackPublishOptions,
  VideoBufferType: { I420: 5 },
  VideoCodec: { VP8: 0, H264: 1 },
  TrackSource: { SOURCE_CAMERA: 1 },
  LocalVideoTrack: { createVideoTrack: () => ({ close: async () => undefined }) },
} as unknown as RtcLibrary;
const room = {
  isConnected: true,
  localParticipant: {
    publishTrack: async (_track: unknown, { given }: TrackPublishOptions) => {
      const { videoCodec, videoEncoding } = given as { videoCodec: number; videoEncoding: { maxBitrate: bigint } };
      await publishing();
      const sid = `T${++tracks}`;
      told.push(`published ${sid} codec ${videoCodec} at ${videoEncoding.maxBitrate}`);
      return { sid };
    },
    unpublishTrack: async (sid: string) => void told.push(`unpublished ${sid}`),
  },
} as unknown as RtcRoom;

const frame = (luma: number, width = 1280, height = 720): Frame => ({
  width,
  height,
  data: new Uint8Array((width * height * 3) / 2).fill(luma),
  receivedAtMs: 0,
});
/** Sends a picture every 100 ms. */
async function play(ms: number, picture = frame(7)): Promise<void> {
  for (let n = 0; n < ms; n += 100) {
    track.send(picture);
    await vi.advanceTimersByTimeAsync(100);
  }
}
const without = (pattern: RegExp): string[] => told.filter((one) => !pattern.test(one));

beforeEach(() => {
  vi.useFakeTimers();
  [told, faults, tracks, publishing] = [[], [], 0, async () => undefined];
  track = new SwappedTrack(library, room, { codec: 'h264', kbps: 3000 }, (error) => faults.push(error));
});
afterEach(() => {
  track.close();
  vi.useRealTimers();
});

test('is published with the first picture, once, and never before', async () => {
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toEqual([]);
  await play(500);
  expect(without(/^picture/)).toEqual(['published T1 codec 1 at 3000000']);
  expect(track.isPublished).toBe(true);
});

test('pictures that come before the room is entered are not published, and those after it are', async () => {
  Object.assign(room, { isConnected: false });
  await play(500);
  expect(track.isPublished).toBe(false);
  Object.assign(room, { isConnected: true });
  await play(200);
  expect(track.isPublished).toBe(true);
});

test('a held picture is sent again, so that viewers know that it is held', async () => {
  await play(100);
  told = [];
  await vi.advanceTimersByTimeAsync(1900);
  expect(told.length).toBeGreaterThanOrEqual(3);
  expect(new Set(told)).toEqual(new Set(['picture 7']));
});

test('a picture whose memory was moved or freed is not sent again', async () => {
  const picture = frame(7);
  await play(100, picture);
  structuredClone(picture.data.buffer, { transfer: [picture.data.buffer] });
  told = [];
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toEqual([]);
});

test('pictures with a side under 16 pixels are left out', async () => {
  track.send(frame(7, 8, 8));
  track.send(frame(7, 640, 14));
  await vi.advanceTimersByTimeAsync(1000);
  expect(told).toEqual([]);
});

test('a lower rate publishes a track of a lower bit rate after two seconds, and ends the first a second later', async () => {
  await play(1000);
  track.fps = 10;
  await play(1500);
  expect(tracks).toBe(1);
  await play(1000);
  expect(without(/^picture/).at(-1)).toBe('published T2 codec 1 at 1000000');
  await play(1200);
  expect(without(/^picture/).at(-1)).toBe('unpublished T1');
  await play(5000);
  expect(tracks).toBe(2);
});

test('a rate that is lower for a moment changes nothing', async () => {
  await play(1000);
  track.fps = 10;
  await play(1500);
  track.fps = 30;
  await play(5000);
  expect(tracks).toBe(1);
});

test('a track that cannot be published is told, and tried again with the next picture', async () => {
  publishing = async () => {
    throw new Error('AbortError');
  };
  await play(200);
  expect(faults).toContain('AbortError');
  publishing = async () => undefined;
  await play(200);
  expect(tracks).toBe(1);
});

test('closing while a track is being published raises nothing, and no picture is sent any more', async () => {
  let fail = (_error: Error): void => undefined;
  publishing = () =>
    new Promise((_, reject) => {
      fail = reject;
    });
  await play(100);
  track.close();
  fail(new Error('the room was left'));
  await vi.advanceTimersByTimeAsync(2000);
  expect(faults).toEqual([]);
  told = [];
  track.send(frame(9));
  expect(told).toEqual([]);
});

test('a source that fails is told, and the next picture is sent', () => {
  isGone = true;
  track.send(frame(1));
  isGone = false;
  track.send(frame(2));
  expect(faults).toEqual(['the handle is gone']);
  expect(told).toContain('picture 2');
});
