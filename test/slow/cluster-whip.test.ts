/** OBS and other WHIP publishers in a cluster: LiveKit's own endpoint takes them, with a publisher's token for the camera. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RtcLibrary } from '../../src/agent/rtc-library.ts';
import { loadRtc } from '../../src/agent/rtc-packages.ts';
import { cameraRoom } from '../../src/livekit/room-names.ts';
import { publisherTickets, viewerTicket } from '../../src/livekit/stream-tokens.ts';
import { distance } from '../../src/pipeline/face/embed.ts';
import type { Frame } from '../../src/shared/types.ts';
import { astronaut, cutFrame, group, readFrame } from '../support/lane.ts';
import {
  repositoryCache,
  startAgent,
  startLiveKit,
  type TestAgent,
  type TestLiveKit,
  whyNoLiveKit,
} from '../support/livekit.ts';
import { ViewerOfCluster } from '../support/livekit-people.ts';
import { Publisher } from '../support/publisher.ts';
import { until } from '../support/server.ts';
import { openWho } from '../support/who.ts';

const why = whyNoLiveKit();

describe.skipIf(why !== null)(`a WHIP publisher of a cluster${why === null ? '' : ` (${why})`}`, () => {
  let livekit: TestLiveKit;
  let agent: TestAgent;
  let library: RtcLibrary;
  let at: string;
  const cameras: Publisher[] = [];

  beforeAll(async () => {
    livekit = await startLiveKit();
    at = livekit.at.url.replace(/^ws/, 'http');
    library = await loadRtc(repositoryCache);
    agent = await startAgent(livekit.at);
  }, 120_000);
  afterAll(async () => {
    for (const camera of cameras) camera.close();
    await agent?.kill();
    await livekit?.stop();
  }, 60_000);

  async function publish(token: string, picture: Frame): Promise<{ camera: Publisher; status: number }> {
    const camera = new Publisher();
    cameras.push(camera);
    camera.play(picture, [picture.data], 25);
    const { status } = await camera.whip(at, '/v1', { authorization: `Bearer ${token}` });
    return { camera, status };
  }

  test('is swapped by a worker, seen by viewers only so, and gone when it says so', async () => {
    const who = await openWho();
    const person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    const [own] = await who.embeddings(person);
    const [source] = await who.embeddings(await readFrame(astronaut));
    const tickets = publisherTickets(livekit.issuer, { stream: 'obs', publisher: 'ann' });
    const viewer = new ViewerOfCluster(library);
    const pictures: Frame[] = [];
    let seen = 0;
    viewer.onPicture = (picture) => {
      if (seen++ % 5 === 0 && pictures.length < 30) pictures.push(picture);
    };
    await viewer.join(livekit.at, viewerTicket(livekit.issuer, 'obs', 'vic'));
    const { camera, status } = await publish(tickets.camera.token, person);
    expect(status).toBe(201);
    await until(() => pictures.length === 30, 'pictures', 60_000);
    expect(viewer.announced.filter((name) => !/^faceoff-ann-.*\/swapped$/.test(name))).toEqual([]);
    let faces = 0;
    for (const picture of pictures)
      for (const face of await who.embeddings(picture)) {
        faces++;
        expect(distance(face, source!)).toBeLessThan(distance(face, own!));
      }
    expect(faces).toBeGreaterThan(10);
    const left = await fetch(camera.location, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${tickets.camera.token}` },
    });
    expect(left.status).toBe(200);
    await until(
      async () => (await livekit.api.participants(cameraRoom(tickets))).length === 0,
      'the job to end',
      20_000,
    );
    await viewer.leave();
  }, 180_000);

  test('without a publisher’s token is refused, or has no picture in the stream’s room', async () => {
    const picture = { width: 320, height: 240, data: new Uint8Array(320 * 240 * 1.5).fill(128), receivedAtMs: 0 };
    expect((await publish('none', picture)).status).toBe(401);
    for (const { token } of [
      viewerTicket(livekit.issuer, 'bare', 'eve'),
      publisherTickets(livekit.issuer, { stream: 'bare', publisher: 'bob' }).sound,
    ]) {
      await publish(token, picture);
      const tracks = (await livekit.api.participants('bare')).flatMap((one) => one.tracks);
      expect(tracks.filter(({ source }) => source !== 'MICROPHONE')).toEqual([]);
    }
  }, 60_000);
});
