import { readFragment } from '../../../src/server/webrtc/ice-fragment.ts';
import { isCandidate, MOST_CANDIDATES } from '../../../src/server/webrtc/rebuild-offer.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import { holds, type Target } from '../../run/target.ts';
import { realFragments, SDP_TERMS } from './offer-samples.ts';

/** SDP fragments of PATCH requests, and the candidates in them. */
export const fragmentTarget: Target = {
  name: 'fragment',
  reads: 'readFragment, isCandidate',
  share: 1,
  growthBytes: 16 * 2 ** 20,
  open: async () => ({
    make: (random) => Buffer.from(mutatedText(realFragments, random, SDP_TERMS)),
    feed(input) {
      const { candidates, ufrag } = readFragment(input.toString());
      holds(candidates.length <= MOST_CANDIDATES, `${candidates.length} candidates`);
      holds(ufrag === null || /^\S+$/.test(ufrag), 'a user name with a space');
      for (const { candidate } of candidates)
        if (isCandidate(candidate)) holds(!/[\r\n\0]/.test(candidate), 'a candidate with a line end');
      return true;
    },
    close: async () => undefined,
  }),
};
