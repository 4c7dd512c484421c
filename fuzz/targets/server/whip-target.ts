import { mutatedOffer } from '../../mutate/mutate-offer.ts';
import { mutatedText, WORDS } from '../../mutate/mutate-text.ts';
import type { Random } from '../../mutate/random.ts';
import type { Target } from '../../run/target.ts';
import { realFragments, realOffers, SDP_TERMS } from '../parsers/offer-samples.ts';
import { FuzzServer, STREAM } from './fuzz-server.ts';
import { type AskHead, askOf, inputOf } from './request-input.ts';

/** In place of the address of a session that an earlier input opened. */
const OPENED = '/@opened';
const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';
const TYPES = [SDP, FRAGMENT, 'application/json', '', 'application/sdp; charset=x', ';'];
const TAGS = ['*', '"*"', '"abcd"', 'W/"x"', '', ',,'];
const ENDPOINTS = ['/whip', '/whip?stream=cam', '/whip?face=astronaut', `/whep/${STREAM}`];
/** Sessions that are kept for later inputs. */
const MOST_OPEN = 6;

function made(random: Random): Buffer {
  const head: AskHead = { method: 'POST', path: random.one(ENDPOINTS), headers: {}, isLocked: false, hasToken: false };
  if (random.chance(0.55)) {
    head.headers['content-type'] = random.chance(0.95) ? SDP : random.one(TYPES);
    if (random.chance(0.15)) head.path = mutatedText([head.path], random);
    return inputOf(head, Buffer.from(mutatedOffer(realOffers, random)));
  }
  head.method = random.chance(0.85) ? 'PATCH' : random.one(['DELETE', 'GET', 'PUT', 'OPTIONS', 'POST']);
  head.path = random.chance(0.9) ? OPENED : random.one([`/whip/${random.one(WORDS)}`, `/whep/${STREAM}/x`]);
  head.headers['content-type'] = random.chance(0.93) ? FRAGMENT : random.one(TYPES);
  if (random.chance(0.95)) head.headers['if-match'] = random.chance(0.8) ? '*' : random.one(TAGS);
  return inputOf(head, Buffer.from(mutatedText(realFragments, random, SDP_TERMS)));
}

/** WHIP and WHEP: offers, fragments, tags and types, in a server with the real WebRTC library. */
export const whipTarget: Target = {
  name: 'whip',
  reads: 'WHIP and WHEP routes: offers, fragments, If-Match, content types',
  share: 1.5,
  parallel: 4,
  growthBytes: 200 * 2 ** 20,
  async open(folder) {
    const server = await FuzzServer.start(folder);
    const opened: string[] = [];
    const end = async (path: string): Promise<void> =>
      void (await server.ask({ method: 'DELETE', path, headers: {}, body: null }));
    return {
      make: made,
      async feed(input) {
        const { ask } = askOf(input);
        const at = ask.path.replace(OPENED, opened.at(-1) ?? '/whip/none');
        const answer = await server.ask({ ...ask, path: at });
        const { location } = answer?.headers ?? {};
        if (answer?.status === 201 && location !== undefined) opened.push(location);
        if (ask.method === 'DELETE' && opened.includes(at)) opened.splice(opened.indexOf(at), 1);
        if (opened.length > MOST_OPEN) await end(opened.shift()!);
        return answer !== null && answer.status < 400;
      },
      usedBytes: () => server.usedBytes(),
      close: () => server.close(),
    };
  },
};
