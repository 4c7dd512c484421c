import { h264Answer, transportOffer } from '../../../src/server/h264/h264-sdp.ts';
import { planMedia } from '../../../src/server/h264/media-plan.ts';
import { rebuildOffer } from '../../../src/server/webrtc/rebuild-offer.ts';
import { isNativeOffer } from '../../../src/server/webrtc/simulcast.ts';
import { mutatedOffer } from '../../mutate/mutate-offer.ts';
import { holds, type Target } from '../../run/target.ts';
import { realOffers } from '../parsers/offer-samples.ts';

/** Offers of real programs, with H.264 in place of their codecs. */
const offers = realOffers.map((sdp) =>
  sdp
    .replace(/a=rtpmap:(\d+) (VP8|VP9|AV1)\//g, 'a=rtpmap:$1 H264/')
    .replace(/^a=rtpmap:\d+ (red|ulpfec).*\r?\n/gm, ''),
);
/** An answer of the transport, as far as it is read. */
const TRANSPORT =
  'v=0\r\na=fingerprint:sha-256 AA:BB\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=setup:active\r\na=ice-ufrag:Atgw\r\na=ice-pwd:0lN6AJytwPC4Hc7b11RRq0\r\n';
const own = {
  transport: TRANSPORT,
  ssrcs: { video: 11, sound: 12 },
  bitrates: { startKbps: 4000, minKbps: 1000, maxKbps: 8000 },
};

/** Rebuilt offers as an H.264 peer plans and answers them. */
export const planTarget: Target = {
  name: 'plan',
  reads: 'planMedia, transportOffer, h264Answer',
  share: 1,
  growthBytes: 16 * 2 ** 20,
  open: async () => ({
    make: (random) => Buffer.from(mutatedOffer(offers, random)),
    feed(input) {
      const text = input.toString();
      const offer = rebuildOffer(text);
      const sections = (sdp: string): number => sdp.split(/^(?=m=)/m).length - 1;
      let isAnswered = false;
      for (const receives of [true, false]) {
        const plan = planMedia(offer, receives, !receives, isNativeOffer(text));
        if ((receives ? plan.receive : plan.send).video === null) continue;
        isAnswered = true;
        holds(sections(transportOffer(offer, plan)) <= 2, 'the transport gets more than two sections');
        const answer = h264Answer(plan, own);
        holds(sections(answer) === sections(offer), 'the answer has not a section for each of the offer');
        const lines = answer.split('\r\n').slice(0, -1);
        holds(
          lines.every((line) => /^[vosctmab]=./.test(line)),
          'the answer has a line that is none',
        );
      }
      return isAnswered;
    },
    close: async () => undefined,
  }),
};
