/** Coding with the real library: pictures and sound, there and back. */

import { beforeAll, describe, expect, test } from 'vitest';
import { randomOf } from '../../../../fuzz/mutate/random.ts';
import { loudness, SOUND_OUT_MS } from '../../../../src/media/sound.ts';
import { AV, type CodecLibrary } from '../../../../src/server/h264/codec/codec-library.ts';
import { encodersFor, type H264Profile, X264 } from '../../../../src/server/h264/codec/encoders.ts';
import { OpusDecoder, OpusEncoder, pieceOf } from '../../../../src/server/h264/codec/opus.ts';
import { PictureDecoder } from '../../../../src/server/h264/codec/picture-decoder.ts';
import { PictureEncoder } from '../../../../src/server/h264/codec/picture-encoder.ts';
import { SharedEncoders } from '../../../../src/server/h264/codec/shared-encoder.ts';
import { MediaSender } from '../../../../src/server/h264/media-sender.ts';
import { nalUnitsOf } from '../../../../src/server/rtp/h264-depacketizer.ts';
import { parseRtp } from '../../../../src/server/rtp/rtp-packet.ts';
import { planesOf } from '../../../../src/shared/i420.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { h264Libraries, whyNoH264 } from '../../../support/h264.ts';

const why = whyNoH264();

/** A smooth picture whose planes differ. */
function frameOf(width: number, height: number, shade = 0): Frame {
  const { bytes, u, v, chromaWidth } = planesOf({ width, height });
  const data = new Uint8Array(bytes);
  for (let i = 0; i < u; i++) data[i] = 40 + shade + Math.floor((100 * (i % width)) / width);
  for (let i = u; i < v; i++) data[i] = 100 + Math.floor((40 * ((i - u) % chromaWidth)) / chromaWidth);
  data.fill(180, v);
  return { width, height, data, receivedAtMs: 0 };
}
const meanError = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
const OPTIONS = { profile: 'baseline' as H264Profile, maxKbps: 4000, isSliced: false };

describe.skipIf(why !== null)(`the codecs of H.264${why === null ? '' : ` (skipped: ${why})`}`, () => {
  let library: CodecLibrary;
  beforeAll(async () => {
    library = (await h264Libraries()).codec;
  });

  test.each([
    ['baseline', 320, 240, 66],
    ['main', 322, 242, 77],
    ['high', 640, 360, 100],
  ] as const)('a picture in %s of %dx%d comes back as it was', async (profile, width, height, code) => {
    const encoder = new PictureEncoder(library, { ...OPTIONS, profile });
    const decoder = new PictureDecoder(library);
    for (let n = 0; n < 5; n++) {
      const frame = frameOf(width, height, 5 * n);
      const picture = (await encoder.encode(frame))!;
      expect(picture.isKeyframe).toBe(n === 0);
      const [first] = nalUnitsOf(picture.data);
      if (n === 0) expect([first![0]! & 31, first![1]]).toEqual([7, code]);
      const decoded = (await decoder.decode(picture.data))!;
      expect([decoded.width, decoded.height, decoded.data.length]).toEqual([width, height, frame.data.length]);
      expect(meanError(decoded.data, frame.data)).toBeLessThan(2);
      // A frame owns its buffer, so that it can be moved to another thread.
      expect(decoded.data.buffer.byteLength).toBe(decoded.data.length);
    }
    encoder.close();
    decoder.close();
  });

  test.each([
    [321, 241],
    [320, 241],
    [17, 16],
  ])(
    'a picture of %dx%d, which H.264 cannot be in 4:2:0, comes without its last column or row',
    async (width, height) => {
      const encoder = new PictureEncoder(library, OPTIONS);
      const decoder = new PictureDecoder(library);
      const decoded = (await decoder.decode((await encoder.encode(frameOf(width, height)))!.data))!;
      const even = frameOf(width, height);
      expect([decoded.width, decoded.height]).toEqual([width & ~1, height & ~1]);
      const row = (height >> 1) * width;
      const [a, b] = [decoded.data.subarray((height >> 1) * decoded.width), even.data.subarray(row)];
      expect(meanError(a.subarray(0, decoded.width), b.subarray(0, decoded.width))).toBeLessThan(2);
      encoder.close();
      decoder.close();
    },
  );

  test('a frame is copied before encode returns', async () => {
    const encoder = new PictureEncoder(library, OPTIONS);
    const decoder = new PictureDecoder(library);
    const frame = frameOf(320, 240);
    const before = frame.data.slice();
    const encoding = encoder.encode(frame);
    frame.data.fill(0);
    const decoded = (await decoder.decode((await encoding)!.data))!;
    expect(meanError(decoded.data, before)).toBeLessThan(2);
    encoder.close();
    decoder.close();
  });

  test('another size begins with a keyframe, and so does a request', async () => {
    const encoder = new PictureEncoder(library, OPTIONS);
    const keys: boolean[] = [];
    for (const [n, width] of [320, 320, 320, 160, 160, 320].entries()) {
      if (n === 2) encoder.requestKeyframe();
      keys.push((await encoder.encode(frameOf(width, 240)))!.isKeyframe);
    }
    expect(keys).toEqual([true, false, true, true, false, true]);
    encoder.close();
    expect(await encoder.encode(frameOf(320, 240))).toBeNull();
  });

  test('frames that come faster than they can be encoded are left out', async () => {
    const encoder = new PictureEncoder(library, OPTIONS);
    const all = await Promise.all(Array.from({ length: 6 }, () => encoder.encode(frameOf(320, 240))));
    expect(all.map((picture) => picture !== null)).toEqual([true, true, false, false, false, false]);
    encoder.close();
  });

  test('an encoder that does not open or is not there is replaced by the next', async () => {
    const absent = { ...X264, name: 'no-such-encoder' };
    // Hardware of other systems, and this machine's, which has none or a working one.
    const encoder = new PictureEncoder(library, OPTIONS, [absent, ...encodersFor('auto')]);
    const decoder = new PictureDecoder(library);
    for (const width of [320, 160]) {
      const frame = frameOf(width, 240);
      const picture = (await encoder.encode(frame))!;
      expect(picture.isKeyframe).toBe(true);
      expect(meanError((await decoder.decode(picture.data))!.data, frame.data)).toBeLessThan(4);
    }
    expect(encodersFor('auto').map(({ name }) => name)).toContain(encoder.encoderName);
    encoder.close();
    decoder.close();
    const none = new PictureEncoder(library, OPTIONS, [absent]);
    await expect(none.encode(frameOf(320, 240))).rejects.toThrow(
      'no-such-encoder does not open for 320x240 (FFmpeg was built without it)',
    );
    none.close();
  });

  test('an encoder that holds pictures back is replaced by the next, which begins with a keyframe', async () => {
    // x264 as it is without "zerolatency" looks some forty pictures ahead.
    const late = { ...X264, options: () => ({ preset: 'medium' }) };
    const encoder = new PictureEncoder(library, OPTIONS, [late, X264]);
    const pictures: (boolean | null)[] = [];
    for (let n = 0; n < 6; n++) pictures.push((await encoder.encode(frameOf(320, 240, n)))?.isKeyframe ?? null);
    expect(pictures).toEqual([null, null, null, null, true, false]);
    encoder.close();
  });

  test('an encoder that takes NV12 gets it', async () => {
    const encoder = new PictureEncoder(library, OPTIONS, [{ ...X264, pixelFormat: AV.NV12 }]);
    const decoder = new PictureDecoder(library);
    for (let n = 0; n < 4; n++) {
      const frame = frameOf(322, 242, 10 * n);
      const decoded = (await decoder.decode((await encoder.encode(frame))!.data))!;
      expect(meanError(decoded.data, frame.data)).toBeLessThan(2);
    }
    encoder.close();
    decoder.close();
  });

  test('without fragments every NAL unit fits into a packet', async () => {
    const encoder = new PictureEncoder(library, { ...OPTIONS, isSliced: true });
    const random = randomOf(2);
    const noise = frameOf(320, 240);
    noise.data = noise.data.map((value) => value + Math.floor(random() * 60));
    const { data } = (await encoder.encode(noise))!;
    expect(data.length).toBeGreaterThan(5000);
    for (const unit of nalUnitsOf(data)) expect(unit.length).toBeLessThanOrEqual(1180);
    encoder.close();
  });

  test('connections of one stream and format share an encoder, and one of another format does not', async () => {
    const encoders = new SharedEncoders();
    const stream = {};
    const [a, b] = [encoders.use(library, stream, OPTIONS), encoders.use(library, stream, OPTIONS)];
    const c = encoders.use(library, stream, { ...OPTIONS, profile: 'high' });
    const d = encoders.use(library, {}, OPTIONS);
    expect(encoders.size).toBe(3);
    const frame = frameOf(320, 240);
    const [one, two, three] = await Promise.all([a.encode(frame), b.encode(frame), c.encode(frame)]);
    expect(one).toBe(two);
    expect(one).not.toBe(three);
    for (const use of [a, c, d, a]) use.close();
    expect(encoders.size).toBe(1);
    expect((await b.encode(frameOf(320, 240)))!.isKeyframe).toBe(false);
    expect(await a.encode(frame)).toBeNull();
    b.close();
    expect(encoders.size).toBe(0);
  });

  test('of many requests for a keyframe one counts in half a second, and the last is not lost', async () => {
    const use = new SharedEncoders().use(library, {}, OPTIONS);
    const keys: number[] = [];
    const beganMs = performance.now();
    for (let n = 0; performance.now() - beganMs < 1400; n++) {
      // Requests stop after 900 ms.
      if (performance.now() - beganMs < 900) use.requestKeyframe();
      if ((await use.encode(frameOf(160, 120, n % 50)))?.isKeyframe) keys.push(performance.now() - beganMs);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // The first of all, and at most one in each half second since.
    expect(keys.length).toBeGreaterThanOrEqual(2);
    expect(keys.length).toBeLessThanOrEqual(4);
    use.close();
  });

  test('bytes that are no H.264 are refused or give nothing, and a keyframe works again after them', async () => {
    const encoder = new PictureEncoder(library, OPTIONS);
    const whole = (await encoder.encode(frameOf(320, 240)))!.data;
    const random = randomOf(6);
    const decoder = new PictureDecoder(library);
    let pictures = 0;
    for (let i = 0; i < 400; i++) {
      const data = Buffer.from(whole);
      for (let n = 0; n < 1 + random() * 20; n++) data[Math.floor(random() * data.length)] = Math.floor(random() * 256);
      const frame = await decoder.decode(data.subarray(0, Math.floor(random() * data.length))).catch(() => null);
      if (frame !== null) pictures++;
    }
    console.log(`of 400 broken units ${pictures} gave a picture`);
    // A parameter set that was read wrong may have spoken of B-frames, for which pictures are held back.
    const again = await Promise.all(Array.from({ length: 17 }, (_, i) => decoder.decode(whole, i === 0)));
    expect(again.at(-1)!.width).toBe(320);
    encoder.close();
    decoder.close();
  });

  test('sound comes back as loud as it was, in packets of twenty milliseconds', () => {
    const encoder = new OpusEncoder(library);
    const decoder = new OpusDecoder(library);
    const levels: number[] = [];
    for (let n = 0; n < 50; n++) {
      const samples = Int16Array.from({ length: 480 }, (_, i) => 10_000 * Math.sin((480 * n + i) * 0.05));
      const packet = encoder.encode(pieceOf(samples, 1));
      expect(packet === null).toBe(n % 2 === 0);
      if (packet === null) continue;
      const decoded = decoder.decode(packet)!;
      expect(decoded).toHaveLength(2 * 960);
      levels.push(loudness({ ...pieceOf(decoded, 2) }));
    }
    expect(levels.at(-1)).toBeCloseTo(10_000 / Math.SQRT2 / 32_768, 1);
    expect(decoder.decode(Uint8Array.of(0xff, 0xff))).toBeNull();
    expect(encoder.encode({ ...pieceOf(new Int16Array(480), 1), sampleRate: 44_100 })).toBeNull();
    encoder.close();
    decoder.close();
  });

  test('reports say that sound is as late for a viewer as its pictures have waited for', () => {
    const sent: Buffer[] = [];
    const formats = { video: null, sound: { payloadType: 111, fmtp: '' } };
    const parts = { library, openEncoder: null, formats, send: (data: Buffer) => void sent.push(data) };
    const sender = new MediaSender({ ...parts, onFault: expect.unreachable });
    // A packet is two pieces: what is heard first was said twenty milliseconds before the second one.
    const piece = pieceOf(new Int16Array(480), 1);
    sender.sendSound(piece);
    const secondAtMs = performance.now();
    sender.sendSound(piece);
    sender.report();
    const { timestamp } = parseRtp(sent[0]!)!;
    const report = new DataView(sent[1]!.buffer, sent[1]!.byteOffset);
    const reportedMs = (report.getUint32(8) - 2_208_988_800) * 1000 + (report.getUint32(12) * 1000) / 2 ** 32;
    const heardMs = reportedMs - ((report.getUint32(16) - timestamp) | 0) / 48 - performance.timeOrigin;
    expect(heardMs - (secondAtMs - 20)).toBeGreaterThan(SOUND_OUT_MS - 2);
    expect(heardMs - (secondAtMs - 20)).toBeLessThan(SOUND_OUT_MS + 20);
    sender.close();
  });

  test('a hundred decoders and encoders leave the memory where it was', async () => {
    const round = async (): Promise<void> => {
      const encoder = new PictureEncoder(library, OPTIONS);
      const decoder = new PictureDecoder(library);
      for (let n = 0; n < 3; n++) await decoder.decode((await encoder.encode(frameOf(640, 360)))!.data);
      encoder.close();
      decoder.close();
    };
    for (let i = 0; i < 50; i++) await round();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 100; i++) await round();
    const grewMb = (process.memoryUsage.rss() - before) / 2 ** 20;
    console.log(`memory grew by ${grewMb.toFixed(0)} MiB`);
    expect(grewMb).toBeLessThan(100);
  });
});
