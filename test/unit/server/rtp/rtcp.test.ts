import { describe, expect, test } from 'vitest';
import { randomOf } from '../../../../fuzz/mutate/random.ts';
import { Reception } from '../../../../src/server/rtp/reception.ts';
import {
  parseRtcp,
  writeBitrateLimit,
  writeNack,
  writePli,
  writeReceiverReport,
  writeSenderReport,
} from '../../../../src/server/rtp/rtcp.ts';
import { parseRtp } from '../../../../src/server/rtp/rtp-packet.ts';
import { RtpSender } from '../../../../src/server/rtp/rtp-sender.ts';

describe('RTCP', () => {
  test('a PLI has the bytes of RFC 4585', () => {
    expect(writePli(1, 1001).toString('hex')).toBe('81ce000200000001000003e9');
  });

  test('missing packets are named with as few words as possible, over the wrap too', () => {
    const sequences = [65530, 65531, 65535, 0, 10, 100];
    const data = writeNack(1, 2, sequences);
    expect(data).toHaveLength(12 + 2 * 4);
    expect(parseRtcp(data)).toEqual([{ type: 'nack', media: 2, sequences }]);
  });

  test('a limit of the bit rate is read as it was written, to 18 bits', () => {
    const data = writeBitrateLimit(1, 8_000_000, [5, 6]);
    expect(parseRtcp(data)).toEqual([{ type: 'bitrate-limit', bitsPerSecond: 8_000_000 }]);
    const [odd] = parseRtcp(writeBitrateLimit(1, 1_234_567, [5]));
    expect(odd).toMatchObject({ bitsPerSecond: 1_234_560 });
  });

  test('reports are read as they were written, and a compound packet whole', () => {
    const block = {
      ssrc: 7,
      fractionLost: 0.25,
      lost: -3,
      highest: 70_000,
      jitter: 90,
      lastReport: 0xdeadbeef,
      sinceReport: 65_536,
    };
    const report = writeReceiverReport(1, 'faceoff', [block]);
    expect(report.length % 4).toBe(0);
    expect(parseRtcp(Buffer.concat([report, writePli(1, 7)]))).toEqual([
      { type: 'receiver-report', ssrc: 1, blocks: [block] },
      { type: 'keyframe-request', media: 7 },
    ]);
    const sent = { ssrc: 9, unixMs: 1500, timestamp: 4_294_967_295, packets: 3, bytes: 1000 };
    const [sender] = parseRtcp(writeSenderReport(sent, 'a'));
    // 2208988801.5 s since 1900: the middle of both words.
    expect(sender).toMatchObject({ type: 'sender-report', ssrc: 9, ntpMiddle: 0x7e818000 });
  });

  test('a FIR asks for a keyframe of the stream that it names', () => {
    const fir = Buffer.from('84ce0004000000010000000000000309ff000000', 'hex');
    expect(parseRtcp(fir)).toEqual([{ type: 'keyframe-request', media: 0x309 }]);
  });

  test('any bytes are read without an exception', () => {
    const random = randomOf(4);
    const whole = [
      writePli(1, 2),
      writeNack(1, 2, [1, 2, 300]),
      writeBitrateLimit(1, 1e6, [3]),
      writeSenderReport({ ssrc: 1, unixMs: 5, timestamp: 6, packets: 7, bytes: 8 }, 'abc'),
    ];
    for (let i = 0; i < 20_000; i++) {
      const data = Buffer.concat([whole[Math.floor(random() * 4)]!, whole[Math.floor(random() * 4)]!]);
      for (let n = 0; n < 3; n++) data[Math.floor(random() * data.length)] = Math.floor(random() * 256);
      for (const message of parseRtcp(data.subarray(0, Math.floor(random() * data.length))))
        if (message.type === 'nack') expect(message.sequences.length).toBeLessThan(600);
    }
  });
});

describe('the reception of a stream', () => {
  const add = (reception: Reception, sequences: readonly number[]) => {
    for (const sequence of sequences) reception.add({ sequence: sequence & 0xffff, timestamp: 0 }, 0);
  };

  test('counts what is lost since the last report and since the beginning', () => {
    const reception = new Reception(5, 90_000);
    add(reception, [65534, 65535, 65537, 65539]);
    expect(reception.block(0)).toMatchObject({ ssrc: 5, lost: 2, highest: 65539, fractionLost: 2 / 6 });
    add(reception, [65540, 65541]);
    expect(reception.block(0)).toMatchObject({ lost: 2, fractionLost: 0 });
  });

  test('measures how much arrival times vary', () => {
    const reception = new Reception(5, 90_000);
    for (let i = 0; i < 500; i++) reception.add({ sequence: i, timestamp: 3000 * i }, 33.333 * i + (i % 2) * 20);
    expect(reception.traffic(20)!.jitterMs).toBeCloseTo(20, 0);
    expect(reception.traffic(20)).toBeNull();
  });

  test('says how long ago the last report of the sender came', () => {
    const reception = new Reception(5, 90_000);
    add(reception, [1]);
    expect(reception.block(0)).toMatchObject({ lastReport: 0, sinceReport: 0 });
    reception.addReport(0x12345678, 1000);
    expect(reception.block(1500)).toMatchObject({ lastReport: 0x12345678, sinceReport: 32_768 });
  });
});

describe('an outgoing stream', () => {
  test('numbers its packets over the wrap, marks the last one, and sends kept ones again', () => {
    const sent: Buffer[] = [];
    const sender = new RtpSender({ ssrc: 3, payloadType: 96, sequence: 65535 }, (data) => sent.push(data));
    sender.send([Uint8Array.of(1), Uint8Array.of(2, 2)], 2 ** 32 + 5, true);
    expect(sent.map((data) => parseRtp(data))).toMatchObject([
      { sequence: 65535, marker: false, timestamp: 5, ssrc: 3, payloadType: 96 },
      { sequence: 0, marker: true, timestamp: 5 },
    ]);
    sender.resend([0, 77]);
    expect(sent).toHaveLength(3);
    expect(sent[2]).toBe(sent[1]);
    for (let i = 0; i < 600; i++) sender.send([Uint8Array.of(1)], i, false);
    const before = sent.length;
    sender.resend([0, 65535, 600]);
    expect(sent.length - before).toBe(1);
    const [report] = parseRtcp(sender.report(0, 0, 'x'));
    expect(report).toMatchObject({ type: 'sender-report', ssrc: 3 });
  });
});
