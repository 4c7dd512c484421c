import { describe, expect, test, vi } from 'vitest';
import { loudness, type Sound } from '../../../../src/media/sound.ts';
import { DelayLine } from '../../../../src/server/audio/delay-line.ts';
import { LipSync } from '../../../../src/server/audio/lip-sync.ts';
import { VoiceActivity } from '../../../../src/server/audio/voice-activity.ts';
import { inOneStream, readDirections } from '../../../../src/server/webrtc/sdp.ts';
import type { Frame } from '../../../../src/shared/types.ts';

const FRAMES = 480;

/** Ten milliseconds of one value. */
const piece = (value: number, channelCount = 1): Sound => ({
  samples: new Int16Array(FRAMES * channelCount).fill(value),
  sampleRate: 48_000,
  channelCount,
  numberOfFrames: FRAMES,
  bitsPerSample: 16 as const,
});
const last = (sound: Sound | null): number => sound!.samples.at(-1)!;

describe('the delay line', () => {
  test('gives each piece after the time wanted, silence before', () => {
    const line = new DelayLine();
    const out = Array.from({ length: 8 }, (_, i) => last(line.push(piece(1000 + i), 30)));
    expect(out).toEqual([0, 0, 0, 1000, 1001, 1002, 1003, 1004]);
    expect(line.delayMs).toBe(30);
  });

  test('gives as many pieces as it gets, and follows a time that grows and shrinks', () => {
    const line = new DelayLine();
    for (let i = 0; i < 20; i++) expect(line.push(piece(100), 0)).not.toBeNull();
    for (let i = 0; i < 20; i++) expect(line.push(piece(100), 120)).not.toBeNull();
    expect(Math.abs(line.delayMs - 120)).toBeLessThanOrEqual(10);
    for (let i = 0; i < 20; i++) expect(line.push(piece(100), 20)).not.toBeNull();
    expect(Math.abs(line.delayMs - 20)).toBeLessThanOrEqual(10);
  });

  test('leaves speech alone while it is off by little, and corrects the delay in the next pause', () => {
    const line = new DelayLine();
    for (let i = 0; i < 10; i++) line.push(piece(9000), 50);
    for (let i = 0; i < 10; i++) line.push(piece(9000), 70);
    expect(line.delayMs).toBe(50);
    for (let i = 0; i < 10; i++) line.push(piece(0), 70);
    expect(line.delayMs).toBe(70);
  });

  test('makes no click where it leaves out or repeats', () => {
    const line = new DelayLine();
    // A slow tone; the largest step between two samples tells a click.
    let phase = 0;
    const tone = (): Sound => {
      const sound = piece(0);
      for (let i = 0; i < FRAMES; i++) {
        phase += (2 * Math.PI * 200) / 48_000;
        sound.samples[i] = 10_000 * Math.sin(phase);
      }
      return sound;
    };
    const heard: number[] = [];
    for (let i = 0; i < 60; i++) heard.push(...line.push(tone(), i < 20 ? 0 : i < 40 ? 100 : 0)!.samples);
    const from = heard.findIndex((sample) => sample !== 0);
    const steps = heard.slice(from + 1).map((sample, i) => Math.abs(sample - heard[from + i]!));
    expect(Math.max(...steps)).toBeLessThan(1200);
  });

  test('never keeps more than a second, and begins anew with another microphone', () => {
    const line = new DelayLine();
    for (let i = 0; i < 300; i++) line.push(piece(5), 60_000);
    expect(line.delayMs).toBeLessThanOrEqual(1000);
    const stereo = line.push(piece(7, 2), 0)!;
    expect([stereo.channelCount, last(stereo)]).toEqual([2, 7]);
    expect(line.delayMs).toBe(0);
  });
});

describe('lip sync', () => {
  const picture: Frame = { width: 2, height: 2, data: new Uint8Array(6), receivedAtMs: 0 };
  const withBuffers = async (
    buffers: { sound: number; picture: number } | null,
    frameMs: number,
    check: (sync: LipSync, shown: Frame[], heard: Sound[]) => Promise<void>,
  ): Promise<void> => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
    const [shown, heard]: [Frame[], Sound[]] = [[], []];
    const sync = new LipSync({
      buffersMs: async () => buffers,
      onFrame: (frame) => shown.push(frame),
      onSound: (sound) => heard.push(sound),
    });
    try {
      for (let i = 0; i < 100; i++) sync.addFrameTime(frameMs);
      await check(sync, shown, heard);
    } finally {
      sync.close();
      vi.useRealTimers();
    }
  };
  const speak = async (sync: LipSync, ms: number): Promise<void> => {
    for (let i = 0; i < ms / 10; i++) {
      sync.addSound(piece(0));
      await vi.advanceTimersByTimeAsync(10);
    }
  };

  test('holds sound back by the time of a slow swap', () =>
    withBuffers({ sound: 60, picture: 40 }, 300, async (sync, shown, heard) => {
      await speak(sync, 4000);
      const before = heard.length;
      sync.addSound(piece(9000));
      let waited = 0;
      while (loudness(heard.at(-1)!) < 0.1 && waited++ < 100) await speak(sync, 10);
      // 300 ms less what sound is late by itself: 20 of the buffers, and 55 of packets.
      expect(Math.abs(10 * waited - 225)).toBeLessThanOrEqual(10);
      expect(heard.length - before).toBe(waited + 1);
      sync.addFrame(picture);
      expect(shown.length).toBe(1);
    }));

  test('plays sound later or earlier than measured where it is told to, and says how late', () =>
    withBuffers({ sound: 60, picture: 40 }, 300, async (sync, shown, heard) => {
      expect(sync.soundDelayMs).toBeNull();
      sync.offsetMs = 200;
      await speak(sync, 4000);
      expect(Math.abs(sync.soundDelayMs! - 425)).toBeLessThanOrEqual(1);
      sync.addSound(piece(9000));
      let waited = 0;
      while (loudness(heard.at(-1)!) < 0.1 && waited++ < 100) await speak(sync, 10);
      expect(Math.abs(10 * waited - 425)).toBeLessThanOrEqual(10);
      // A changed voice is late by itself: the picture waits.
      sync.offsetMs = -300;
      await speak(sync, 1000);
      expect(Math.abs(sync.soundDelayMs! + 75)).toBeLessThanOrEqual(1);
      const before = shown.length;
      sync.addFrame(picture);
      await speak(sync, 60);
      expect(shown.length).toBe(before);
      await speak(sync, 30);
      expect(shown.length).toBe(before + 1);
    }));

  test('holds pictures back where sound is later than a quick swap', () =>
    withBuffers({ sound: 80, picture: 20 }, 10, async (sync, shown, heard) => {
      await speak(sync, 4000);
      sync.addSound(piece(9000));
      expect(loudness(heard.at(-1)!)).toBeGreaterThan(0.1);
      sync.addFrame(picture);
      await speak(sync, 90);
      expect(shown.length).toBe(0);
      await speak(sync, 30);
      expect(shown.length).toBe(1);
    }));

  test('lets pictures through at once where there is no sound, or no more', () =>
    withBuffers(null, 10, async (sync, shown) => {
      sync.addFrame(picture);
      expect(shown.length).toBe(1);
      await speak(sync, 100);
      await vi.advanceTimersByTimeAsync(600);
      sync.addFrame(picture);
      expect(shown.length).toBe(2);
    }));

  test('drops waiting pictures on request and when it is closed', () =>
    withBuffers({ sound: 80, picture: 20 }, 10, async (sync, shown) => {
      await speak(sync, 1000);
      sync.addFrame(picture);
      sync.dropFrames();
      sync.addFrame(picture);
      sync.close();
      await vi.advanceTimersByTimeAsync(1000);
      expect(shown.length).toBe(0);
      expect(vi.getTimerCount()).toBe(0);
    }));
});

describe('voice activity', () => {
  const changes: boolean[] = [];
  const hear = (voice: VoiceActivity, value: number, ms: number): void => {
    for (let i = 0; i < ms / 10; i++) voice.addSound(piece(value));
  };

  test('is told from room noise, lasts over pauses between words, and ends', () => {
    const voice = new VoiceActivity((speaking) => changes.push(speaking));
    hear(voice, 60, 2000);
    hear(voice, 5000, 30);
    hear(voice, 60, 500);
    expect(changes).toEqual([]);
    hear(voice, 5000, 300);
    hear(voice, 60, 300);
    hear(voice, 5000, 300);
    expect(changes).toEqual([true]);
    hear(voice, 60, 600);
    expect(changes).toEqual([true, false]);
  });

  test('is not detected in a fan that begins to hum', () => {
    const voice = new VoiceActivity(() => undefined);
    hear(voice, 60, 1000);
    hear(voice, 900, 60_000);
    hear(voice, 900, 5000);
    expect(voice.speaking).toBe(false);
  });
});

test('an SDP says that sound and picture belong together', () => {
  const sdp =
    'v=0\r\nm=audio 9 X 1\r\na=sendonly\r\na=msid:- a\r\na=ssrc:1 msid:- a\r\nm=video 9 X 2\r\na=msid:own b\r\nm=audio 9 X 1\r\n';
  expect(inOneStream(sdp)).toContain('a=msid:faceoff a\r\na=ssrc:1 msid:faceoff a\r\n');
  expect(inOneStream(sdp)).toContain('a=msid:own b');
  expect(readDirections(sdp, 'audio')).toEqual(['sendonly', 'sendrecv']);
});
