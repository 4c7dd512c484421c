/**
 * One round of a worker's soak, in a process of its own: `agent-guests.js ADDRESS N`, with LiveKit's address as JSON. Publishers
 * come, are watched, change a setting and leave; the process then tells what they did, and ends.
 */

import { loadRtc } from '../../src/agent/rtc-packages.ts';
import type { LiveKitAddress } from '../../src/livekit/livekit-api.ts';
import { publisherTickets, viewerTicket } from '../../src/livekit/stream-tokens.ts';
import { cutFrame, group } from '../../test/support/lane.ts';
import { pause, repositoryCache } from '../../test/support/livekit.ts';
import { CameraOfCluster, ViewerOfCluster } from '../../test/support/livekit-people.ts';
import { until } from '../../test/support/server.ts';

/** What a round did. */
export interface AgentRound {
  jobs: number;
  viewers: number;
  /** Swapped pictures that viewers got. */
  pictures: number;
}

const [GUESTS, EVERY_MS, STAY_MS, FPS] = [3, 3000, 6000, 10];
const FIRST_PICTURE_MS = 45_000;

const [address = '', round = ''] = process.argv.slice(2);
const at = JSON.parse(address) as LiveKitAddress;
const issuer = { key: at.key, secret: at.secret, agentName: 'faceoff', lifetimeMs: 600_000 };
const done: AgentRound = { jobs: 0, viewers: 0, pictures: 0 };
const library = await loadRtc(repositoryCache);
const person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 320, 240);

/** Guest `n`: H.264 and VP8 in turn; the last one leaves without a word. */
async function visit(n: number): Promise<void> {
  const tickets = publisherTickets(issuer, { stream: `guest-${round}-${n}`, publisher: 'ann' });
  const [camera, viewer] = [new CameraOfCluster(library), new ViewerOfCluster(library)];
  await viewer.join(at, viewerTicket(issuer, tickets.stream, 'vic'));
  await camera.join(at, tickets);
  await camera.publish(person, FPS, n % 2 === 0 ? 'H264' : 'VP8');
  await until(() => viewer.seen.length > FPS, `pictures of guest ${n}`, FIRST_PICTURE_MS);
  await camera.room.localParticipant!.setAttributes({ 'faceoff.settings': '{"strength": 0.9}' });
  await pause(STAY_MS);
  done.jobs++;
  done.viewers++;
  done.pictures += viewer.seen.length;
  if (n === GUESTS - 1) return;
  await viewer.leave();
  await camera.leave();
}

await Promise.all(
  Array.from({ length: GUESTS }, async (_, n) => {
    await pause(n * EVERY_MS);
    await visit(n);
  }),
);
await new Promise<void>((resolve) => process.send?.(done, () => resolve()));
process.exit(0);
