import { iceFragmentOf, withIce } from '../../../src/server/webrtc/ice-fragment.ts';
import { OFFER_BYTES, rebuildOffer } from '../../../src/server/webrtc/rebuild-offer.ts';
import {
  iceUfrag,
  inOneStream,
  readDirections,
  readVideo,
  withBitrates,
  withCandidates,
} from '../../../src/server/webrtc/sdp.ts';
import { mutatedOffer } from '../../mutate/mutate-offer.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import { holds, type Target } from '../../run/target.ts';
import { realOffers, SDP_TERMS } from './offer-samples.ts';

/** Most bytes that rebuilding adds: an address and a port of each section, and line ends. */
const ADDED_BYTES = 8192;

/** Offers as they are rebuilt before libwebrtc gets them, and everything that is read of a rebuilt one. */
export const offerTarget: Target = {
  name: 'offer',
  reads: 'rebuildOffer, and what reads rebuilt offers',
  share: 2,
  growthBytes: 16 * 2 ** 20,
  open: async () => ({
    make(random) {
      const offer = random.chance(0.85) ? mutatedOffer(realOffers, random) : mutatedText(realOffers, random, SDP_TERMS);
      return Buffer.from(offer);
    },
    feed(input) {
      const rebuilt = rebuildOffer(input.toString());
      holds(rebuildOffer(rebuilt) === rebuilt, 'a rebuilt offer is not the same when it is rebuilt again');
      holds(rebuilt.length < OFFER_BYTES + ADDED_BYTES, `a rebuilt offer has ${rebuilt.length} bytes`);
      const { directions } = readVideo(rebuilt);
      readDirections(rebuilt, 'audio');
      const restarted = withIce(rebuilt, { ufrag: 'abcd', pwd: 'x'.repeat(22) });
      holds(iceUfrag(rebuilt) === null || iceUfrag(restarted) === 'abcd', 'an ICE restart keeps the old credentials');
      iceFragmentOf(restarted);
      const rated = withBitrates(rebuilt, { startKbps: 1, minKbps: 1, maxKbps: 1 });
      inOneStream(withCandidates(rated, [{ candidate: 'candidate:1', sdpMLineIndex: directions.length }]));
      return true;
    },
    close: async () => undefined,
  }),
};
