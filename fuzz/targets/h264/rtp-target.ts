import { packetizeH264 } from '../../../src/server/rtp/h264-packetizer.ts';
import { PictureReceiver } from '../../../src/server/rtp/picture-receiver.ts';
import {
  parseRtcp,
  writeNack,
  writePli,
  writeReceiverReport,
  writeSenderReport,
} from '../../../src/server/rtp/rtcp.ts';
import { isRtcp, parseRtp, writeRtp } from '../../../src/server/rtp/rtp-packet.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import type { Random } from '../../mutate/random.ts';
import { holds, type Target } from '../../run/target.ts';

/** Most bytes of a picture that may come out: more than a keyframe of 3840x2160 has. */
const MOST_UNIT_BYTES = 8 * 2 ** 20;
/** Time between two datagrams. */
const STEP_MS = 3;

/** NAL units of a keyframe and of a frame between, in Annex B. */
const unit = (types: readonly number[], bytes: number): Buffer =>
  Buffer.concat(types.map((type) => Buffer.concat([Buffer.from([0, 0, 0, 1, 0x60 | type]), Buffer.alloc(bytes, 7)])));
/** SEI that says that pictures are exact from the third one on. */
const RECOVERY = Buffer.from([0, 0, 0, 1, 6, 6, 1, 0x34, 0x80]);
const payloads = [
  unit([7, 8, 5], 3000),
  unit([1], 2500),
  unit([1, 1], 200),
  unit([7, 8], 20),
  Buffer.concat([RECOVERY, unit([1], 900)]),
].map((data) => packetizeH264(data));
const block = { ssrc: 1, fractionLost: 0.5, lost: 3, highest: 9, jitter: 4, lastReport: 5, sinceReport: 6 };
const feedback = [
  writePli(1, 2),
  writeNack(1, 2, [5, 6, 7, 65_535]),
  writeReceiverReport(1, 'faceoff', [block]),
  writeSenderReport({ ssrc: 1, unixMs: 1.7e12, timestamp: 9, packets: 3, bytes: 99 }, 'faceoff'),
];

/** One datagram of a stream: a packet of a picture, or feedback; as it is, or changed. */
function datagram(random: Random, sequence: number, timestamp: number): Buffer {
  const picture = random.one(payloads);
  const at = random.below(picture.length);
  const packet = writeRtp({
    payloadType: 96,
    marker: (at === picture.length - 1) !== random.chance(0.05),
    ssrc: 1,
    payload: picture[at]!,
    sequence: sequence & 0xffff,
    timestamp: timestamp >>> 0,
  });
  const whole = random.chance(0.8) ? packet : random.one(feedback);
  return random.chance(0.6) ? whole : mutatedBytes([whole], random);
}

/** Datagrams of a publisher in H.264: packets, order, pictures, losses, feedback. One receiver lives through all inputs. */
export const rtpTarget: Target = {
  name: 'rtp',
  reads: 'parseRtp, parseRtcp, ReorderBuffer, H264Depacketizer, KeyframeGate',
  share: 1,
  growthBytes: 32 * 2 ** 20,
  open: async () => {
    let nowMs = 0;
    const receiver = new PictureReceiver({
      onUnit: ({ data }) => holds(data.length <= MOST_UNIT_BYTES, `a picture of ${data.length} bytes`),
      onSets: (sets) => holds(sets.length <= MOST_UNIT_BYTES, `parameter sets of ${sets.length} bytes`),
      onMissing: (sequences) =>
        holds(
          sequences.every((one) => Number.isInteger(one) && one >= 0 && one < 65_536),
          'a missing packet without a number',
        ),
      onKeyframeNeeded: () => undefined,
    });
    return {
      make(random) {
        let [sequence, timestamp] = [random.below(65_536), random.below(2 ** 32)];
        const parts = Array.from({ length: 1 + random.below(12) }, () => {
          sequence += random.chance(0.9) ? 1 : random.below(400) - 200;
          if (random.chance(0.4)) timestamp += 3000;
          const data = datagram(random, sequence, timestamp);
          const length = Buffer.alloc(4);
          length.writeUInt32BE(data.length);
          return Buffer.concat([length, data]);
        });
        return Buffer.concat(parts);
      },
      feed(input) {
        let taken = false;
        for (let at = 0; at + 4 <= input.length; ) {
          const end = at + 4 + input.readUInt32BE(at);
          const data = input.subarray(at + 4, end);
          at = end;
          nowMs += STEP_MS;
          if (isRtcp(data)) taken ||= parseRtcp(data).length > 0;
          const packet = isRtcp(data) ? null : parseRtp(data);
          if (packet !== null) receiver.push(packet, nowMs);
          taken ||= packet !== null;
          receiver.tick(nowMs);
        }
        return taken;
      },
      close: async () => undefined,
    };
  },
};
