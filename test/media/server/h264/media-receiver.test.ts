/** What publishers' packets come to: real pictures in H.264, packed as different senders pack them, through the real decoder. */

import { beforeAll, describe, expect, test } from 'vitest';
import type { H264Libraries } from '../../../../src/server/h264/h264-packages.ts';
import { MediaReceiver } from '../../../../src/server/h264/media-receiver.ts';
import { nalUnitsOf } from '../../../../src/server/rtp/h264-depacketizer.ts';
import { packetizeH264 } from '../../../../src/server/rtp/h264-packetizer.ts';
import { parseRtcp } from '../../../../src/server/rtp/rtcp.ts';
import type { RtpPacket } from '../../../../src/server/rtp/rtp-packet.ts';
import type { Frame } from '../../../../src/shared/types.ts';
import { type EncodedUnit, encodeH264, h264Libraries, whyNoH264 } from '../../../support/h264.ts';

const why = whyNoH264();
const FRAME_MS = 33;

/** Grey pictures, each brighter than the one before by two. */
const greys = (coding: readonly string[], { size = '320x240', count = 60, format = 'yuv420p' } = {}) =>
  encodeH264(
    [
      '-f',
      'lavfi',
      '-i',
      `color=black:size=${size}:rate=30,format=${format},geq=lum=16+3*N:cb=128:cr=128`,
      '-frames:v',
      String(count),
    ],
    coding,
  );

/** A packet of a picture: bytes, and what may be set otherwise. */
type Piece = Partial<RtpPacket> & { payload: Uint8Array };
type Pack = (unit: EncodedUnit, index: number) => Piece[];
const usual: Pack = (unit) => packetizeH264(unit).map((payload) => ({ payload }));

interface Outcome {
  /** Number of each picture that came out, by its brightness, in order. */
  shown: number[];
  frames: Frame[];
  keyframeRequests: number;
}

/** Sends pictures to a receiver, one every 33 ms of its time. */
async function receive(
  { codec }: H264Libraries,
  units: readonly EncodedUnit[],
  pack: Pack = usual,
  { fmtp = '', isLost = (_index: number, _piece: number): boolean => false, burst = 0 } = {},
): Promise<Outcome> {
  const frames: Frame[] = [];
  let keyframeRequests = 0;
  const receiver = new MediaReceiver({
    library: codec,
    formats: { video: { payloadType: 96, fmtp }, sound: null },
    ownSsrc: 1,
    maxKbps: 8000,
    onFrame: (frame) => frames.push(frame),
    onSound: () => undefined,
    send: (data) => {
      keyframeRequests += parseRtcp(data).filter(({ type }) => type === 'keyframe-request').length;
    },
  });
  let sequence = 65_530;
  let nowMs = 0;
  const step = async (ms: number): Promise<void> => {
    const before = frames.length;
    for (const end = nowMs + ms; nowMs < end; nowMs += 11) receiver.tick(nowMs);
    // Pictures do not pile up in front of the decoder, however slow the machine is; some packets bring none.
    for (let i = 0; i < 20 && frames.length === before; i++) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  for (const [index, unit] of units.entries()) {
    const pieces = pack(unit, index);
    for (const [at, piece] of pieces.entries()) {
      const packet = {
        payloadType: 96,
        marker: at === pieces.length - 1,
        sequence: sequence++ & 0xffff,
        timestamp: (4_294_900_000 + 3000 * index) >>> 0,
        ssrc: 7,
        ...piece,
      };
      if (!isLost(index, at)) receiver.push(packet, nowMs);
    }
    if (index === 0 || index > burst) await step(FRAME_MS);
  }
  await step(500);
  for (let before = -1; before < frames.length; await new Promise((resolve) => setTimeout(resolve, 200)))
    before = frames.length;
  receiver.close();
  const shown = frames.map(({ data, width, height }) =>
    Math.round((data[width * (height >> 1) + (width >> 1)]! - 16) / 3),
  );
  return { shown, frames, keyframeRequests };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe.skipIf(why !== null)(`packets of H.264${why === null ? '' : ` (skipped: ${why})`}`, () => {
  let libraries: H264Libraries;
  beforeAll(async () => {
    libraries = await h264Libraries();
  });
  const isSet = ([first = 0]: Uint8Array): boolean => [6, 7, 8, 9].includes(first & 31);
  /** Every NAL unit in a packet of its own (packetization mode 0). */
  const single: Pack = (unit) => nalUnitsOf(unit).map((payload) => ({ payload }));
  const AUD: Piece = { payload: Uint8Array.of(9, 0xf0), marker: true };
  const SEI: Piece = { payload: Uint8Array.of(6, 5, 1, 1, 0x80), marker: true };
  /** Packets with one in front, all of one picture. */
  const behind =
    (first: Piece): Pack =>
    (unit) => {
      const pieces = usual(unit, 0);
      return [first, ...pieces.map((piece, i) => ({ ...piece, marker: i === pieces.length - 1 }))];
    };

  test.each<[string, Pack]>([
    ['in single NAL units', single],
    [
      'with a marker on parameter sets and delimiters',
      (unit) =>
        nalUnitsOf(unit).map((payload, i, all) => ({ payload, marker: isSet(payload) || i === all.length - 1 })),
    ],
    ['with a marked delimiter before every picture', behind(AUD)],
    ['with marked SEI before every picture', behind(SEI)],
    [
      'with filler data behind every picture',
      (unit) => [...usual(unit, 0), { payload: Uint8Array.of(12, 255, 255, 0x80) }],
    ],
    [
      'with empty packets behind every picture',
      (unit) => [
        ...usual(unit, 0).map((piece, i, all) => ({ ...piece, marker: i === all.length - 1 })),
        { payload: Uint8Array.of(), marker: false },
      ],
    ],
    [
      'with timestamps that jump back by a day',
      (unit, index) => usual(unit, 0).map((piece) => ({ ...piece, timestamp: index < 20 ? 4e9 + index : 7 + index })),
    ],
  ])('%s give every picture, whole, without a request', async (_how, pack) => {
    const units = await greys(['-g', '30', '-slices', '3']);
    const { shown, keyframeRequests } = await receive(libraries, units, pack);
    expect(shown).toEqual(upTo(60));
    expect(keyframeRequests).toBeLessThanOrEqual(1);
  });

  test('of a sender that begins anew under another SSRC are taken a second later, from a keyframe on', async () => {
    const anew: Pack = (unit, index) =>
      usual(unit, 0).map((piece) => (index < 10 ? piece : { ...piece, ssrc: 9, timestamp: 5 + index }));
    const { shown } = await receive(libraries, await greys(['-g', '10']), anew);
    expect(shown).toEqual([...upTo(10), ...upTo(60).slice(40)]);
  });

  test('that come at once after a pause are all decoded', async () => {
    const { shown, keyframeRequests } = await receive(libraries, await greys(['-g', '60']), usual, { burst: 55 });
    expect(shown).toEqual(upTo(60));
    expect(keyframeRequests).toBe(0);
  });

  test('without any marker give every picture, one picture late', async () => {
    const unmarked: Pack = (unit) => usual(unit, 0).map((piece) => ({ ...piece, marker: false }));
    expect((await receive(libraries, await greys(['-g', '30']), unmarked)).shown).toEqual(upTo(59));
  });

  test('with a marker on every slice never show a part of a picture, and are whole from the second keyframe on', async () => {
    const marked: Pack = (unit) => single(unit, 0).map((piece) => ({ ...piece, marker: true }));
    const { shown, keyframeRequests } = await receive(libraries, await greys(['-g', '30', '-slices', '3']), marked);
    expect(shown).toEqual(upTo(59).slice(30));
    expect(keyframeRequests).toBeGreaterThan(0);
  });

  test.each([
    ['B-frames', ['-tune', 'film', '-bf', '2']],
    ['open groups of pictures', ['-g', '15', '-tune', 'film', '-bf', '2', '-x264-params', 'open-gop=1:scenecut=0']],
  ])('with %s give pictures in order, two pictures late', async (_what, coding) => {
    const { shown, keyframeRequests } = await receive(libraries, await greys(coding));
    expect(shown).toEqual(upTo(58));
    expect(keyframeRequests).toBe(0);
  });

  test.each([
    ['1366x768', 'yuv420p', []],
    ['640x362', 'yuv420p', []],
    ['641x361', 'yuv444p', ['-profile:v', 'high444']],
    ['640x360', 'yuv420p', ['-profile:v', 'high10', '-pix_fmt', 'yuv420p10le']],
    ['640x480', 'yuv420p', ['-flags', '+ildct+ilme']],
  ])('of %s in %s give pictures of that size', async (size, format, coding) => {
    const { shown, frames } = await receive(libraries, await greys(coding, { size, count: 5, format }));
    const [width = 0, height = 0] = size.split('x').map(Number);
    expect(shown).toEqual(upTo(5));
    expect(frames.at(-1)).toMatchObject({ width, height });
    expect(frames.at(-1)!.data.length).toBe(width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2));
  });

  test('with parameter sets in a keyframe that is lost decode the next keyframe, which has none', async () => {
    const units = await greys(['-g', '30']);
    const bare: Pack = (unit, index) =>
      nalUnitsOf(unit)
        .filter((nal) => index === 0 || !isSet(nal))
        .map((payload) => ({ payload }));
    const last = bare(units[0]!, 0).length - 1;
    const isLost = (index: number, piece: number): boolean => index === 0 && piece === last;
    expect((await receive(libraries, units, bare, { isLost })).shown).toEqual(upTo(60).slice(30));
  });

  describe('of a stream that refreshes its pictures bit by bit, without keyframes', () => {
    let units: EncodedUnit[];
    let whole: Frame[];
    beforeAll(async () => {
      units = await greys(['-g', '20', '-intra-refresh', '1'], { count: 70 });
      whole = (await receive(libraries, units)).frames;
    });
    /** Every picture that came out is the one of the undamaged stream, bit by bit. */
    const expectExact = ({ shown, frames }: Outcome): void => {
      for (const [i, number] of shown.entries())
        expect(Buffer.from(frames[i]!.data).equals(Buffer.from(whole[number]!.data))).toBe(true);
    };

    test('show the first exact picture after they were entered in the middle', async () => {
      expect(whole).toHaveLength(70);
      const outcome = await receive(libraries, units.slice(5));
      expect(outcome.shown.at(-1)).toBe(69);
      expect(outcome.shown[0]).toBeGreaterThan(20);
      expect(outcome.shown).toEqual(upTo(70).slice(outcome.shown[0]));
      expectExact(outcome);
    });

    test('show nothing from a loss to the next recovery point', async () => {
      const outcome = await receive(libraries, units, usual, { isLost: (index) => index === 25 });
      expect(outcome.shown.slice(0, 25)).toEqual(upTo(25));
      expect(outcome.shown[25]).toBeGreaterThan(40);
      expect(outcome.shown.at(-1)).toBe(69);
      expectExact(outcome);
    });
  });
});
