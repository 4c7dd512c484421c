/** WHIP outputs of `faceoff camera`: where they publish, and in which codecs. */

import type { Config } from '../../config.ts';
import { loadH264 } from '../../server/h264/h264-packages.ts';
import { H264Publisher } from '../../server/h264/h264-publisher.ts';
import type { OfferingPeer } from '../../server/webrtc/client/offering-peer.ts';
import type { Endpoint } from '../../server/webrtc/client/signalling-client.ts';
import { Vp8Publisher } from '../../server/webrtc/client/vp8-publisher.ts';
import { FaceOffError } from '../../shared/errors.ts';

const TOKEN = 'FACEOFF_OUTPUT_TOKEN';

/** The endpoint of `whip+https://…` and `whip+http://…`; null for other outputs. @throws FaceOffError `bad_arguments`. */
export function whipEndpoint(name: string): Endpoint | null {
  if (!name.startsWith('whip+')) return null;
  const address = name.slice('whip+'.length);
  if (!/^https?:\/\//.test(address) || !URL.canParse(address))
    throw new FaceOffError('bad_arguments', `${name} is no address: WHIP wants whip+https://… or whip+http://….`);
  return { address, token: process.env[TOKEN] ?? null, tokenVariable: TOKEN };
}

/** What can be offered to a WHIP server: H.264 where it is installed, as most services take nothing else; VP8, VP9 and AV1. */
export async function publishersOf({ webrtc, models }: Config): Promise<(() => OfferingPeer)[]> {
  const libraries = await loadH264(models.cacheDir).catch(() => null);
  const others = (): OfferingPeer => new Vp8Publisher(webrtc);
  return libraries === null ? [others] : [() => new H264Publisher(webrtc, libraries), others];
}
