import { defaultConfig } from '../../../src/config.ts';
import { readFragment } from '../../../src/server/webrtc/ice-fragment.ts';
import { openWrtcPeers, Peer } from '../../../src/server/webrtc/peer.ts';
import { mutatedOffer } from '../../mutate/mutate-offer.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import { holds, type Target } from '../../run/target.ts';
import { realFragments, realOffers, SDP_TERMS } from '../parsers/offer-samples.ts';

/** Between the parts of an input: an offer, a later offer, a fragment. */
const END = '\n\0\n';

/** Offers, renegotiations, candidates and ICE restarts, in the WebRTC library itself: a native crash ends this process. */
export const peerTarget: Target = {
  name: 'peer',
  reads: 'libwebrtc behind rebuildOffer and isCandidate',
  share: 2,
  growthBytes: 200 * 2 ** 20,
  open: async () => {
    const { webrtc } = defaultConfig();
    return {
      make(random) {
        const offer = mutatedOffer(realOffers, random);
        const later = random.chance(0.3) ? mutatedOffer([offer, random.one(realOffers)], random) : '';
        const fragment = random.chance(0.5) ? mutatedText(realFragments, random, SDP_TERMS) : '';
        return Buffer.from([offer, later, fragment].join(END));
      },
      async feed(input) {
        const [offer = '', later = '', fragment = ''] = input.toString().split(END);
        const isPublisher = input.length % 2 === 0;
        const quiet = { onState: () => undefined, onCandidate: () => undefined };
        const receive = isPublisher ? () => undefined : null;
        const peer = new Peer(webrtc, { ...quiet, onFrame: receive, onSound: receive });
        try {
          await peer.answer(offer, false);
          if (later !== '') await peer.answer(later, false);
          if (fragment === '') return true;
          const { ufrag, pwd, candidates } = readFragment(fragment);
          if (ufrag !== null && pwd !== null) await peer.restartIce({ ufrag, pwd }, candidates);
          else for (const candidate of candidates) await peer.addCandidate(candidate);
          return true;
        } finally {
          peer.close();
          holds(openWrtcPeers() === 0, 'a peer stays open');
        }
      },
      usedBytes: async () => process.memoryUsage.rss(),
      close: async () => undefined,
    };
  },
};
