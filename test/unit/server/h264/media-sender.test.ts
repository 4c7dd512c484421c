import { describe, expect, test } from 'vitest';
import type { CodecLibrary } from '../../../../src/server/h264/codec/codec-library.ts';
import type { EncodedPicture } from '../../../../src/server/h264/codec/picture-encoder.ts';
import { MediaSender } from '../../../../src/server/h264/media-sender.ts';
import { parseRtcp, writeReceiverReport } from '../../../../src/server/rtp/rtcp.ts';
import { isRtcp, parseRtp } from '../../../../src/server/rtp/rtp-packet.ts';

const frame = { width: 16, height: 16, data: new Uint8Array(384), receivedAtMs: 0 };
const picture = (isKeyframe: boolean, mark: number): EncodedPicture => ({
  data: Buffer.from([0, 0, 0, 1, isKeyframe ? 0x65 : 0x61, mark]),
  isKeyframe,
  atMs: 1000,
});

function build() {
  const sent: Buffer[] = [];
  const opened: { isLow: boolean; keyframes: number; isClosed: boolean; give(one: EncodedPicture | null): void }[] = [];
  const sender = new MediaSender({
    library: {} as CodecLibrary,
    openEncoder: (isLow) => {
      let give: (one: EncodedPicture | null) => void = () => undefined;
      const entry = { isLow, keyframes: 0, isClosed: false, give: (one: EncodedPicture | null) => give(one) };
      opened.push(entry);
      return {
        encode: () =>
          new Promise((resolve) => {
            give = resolve;
          }),
        requestKeyframe: () => {
          entry.keyframes++;
        },
        close: () => {
          entry.isClosed = true;
        },
      };
    },
    formats: { video: { payloadType: 96, fmtp: '' }, sound: null },
    send: (data) => sent.push(data),
    onFault: (error) => {
      throw error;
    },
  });
  /** Sends a frame whose encoding gives this picture. */
  const show = async (one: EncodedPicture | null): Promise<void> => {
    sender.sendFrame(frame);
    opened.at(-1)!.give(one);
    await Promise.resolve();
    await Promise.resolve();
  };
  const report = (fractionLost: number): void => {
    const block = {
      ssrc: sender.ssrcs.video,
      fractionLost,
      lost: 1,
      highest: 1,
      jitter: 0,
      lastReport: 0,
      sinceReport: 0,
    };
    for (const message of parseRtcp(writeReceiverReport(7, 'x', [block]))) sender.heed(message);
  };
  /** The last byte of each video packet. */
  const marks = (): number[] => sent.filter((data) => !isRtcp(data)).map((data) => parseRtp(data)!.payload.at(-1)!);
  return { sender, opened, show, report, marks, sent };
}

describe('what goes out to a client', () => {
  test('begins with a keyframe, which is asked for until it comes', async () => {
    const { show, opened, marks, sender, sent } = build();
    await show(picture(false, 1));
    await show(null);
    sender.report();
    expect([opened[0]!.keyframes, sent.length]).toEqual([2, 0]);
    await show(picture(true, 2));
    await show(picture(false, 3));
    expect([opened[0]!.keyframes, marks()]).toEqual([3, [2, 3]]);
    sender.report();
    expect(parseRtcp(sent.at(-1)!)[0]).toMatchObject({ type: 'sender-report', ssrc: sender.ssrcs.video });
  });

  test('comes from the encoder of the lower bit rate after three bad reports, from its keyframe on', async () => {
    const { sender, show, report, opened, marks } = build();
    await show(picture(true, 1));
    sender.sendFrame(frame);
    for (const loss of [0.2, 0.2, 0.2]) report(loss);
    expect(sender.fractionLost).toBeCloseTo(0.2, 2);
    expect(opened.map(({ isLow, isClosed }) => [isLow, isClosed])).toEqual([
      [false, true],
      [true, false],
    ]);
    // What the encoder before had in hand comes too late.
    opened[0]!.give(picture(false, 2));
    await show(picture(false, 3));
    await show(picture(true, 4));
    expect(marks()).toEqual([1, 4]);
    sender.close();
    expect(opened[1]!.isClosed).toBe(true);
  });

  test('is sent again where the client lacks it, and begins anew where it asks', async () => {
    const { sender, show, opened, sent, marks } = build();
    await show(picture(true, 1));
    const { sequence } = parseRtp(sent[0]!)!;
    const media = sender.ssrcs.video;
    sender.heed({ type: 'nack', media, sequences: [sequence, 5] });
    expect(marks()).toEqual([1, 1]);
    sender.heed({ type: 'keyframe-request', media });
    sender.heed({ type: 'keyframe-request', media: media + 1 });
    expect(opened[0]!.keyframes).toBe(2);
    sender.close();
    await show(picture(true, 2));
    expect(marks()).toEqual([1, 1]);
  });
});
