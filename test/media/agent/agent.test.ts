/** Workers of a real LiveKit server: a camera publishes, a viewer sees the swapped face and never the bare one. */

import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RtcLibrary } from '../../../src/agent/rtc-library.ts';
import { loadRtc } from '../../../src/agent/rtc-packages.ts';
import { accessToken } from '../../../src/livekit/access-token.ts';
import { cameraRoom } from '../../../src/livekit/room-names.ts';
import { type PublisherTickets, publisherTickets, viewerTicket } from '../../../src/livekit/stream-tokens.ts';
import { distance } from '../../../src/pipeline/face/embed.ts';
import { Cluster } from '../../../src/server/cluster/cluster.ts';
import { WorkerStreams } from '../../../src/server/cluster/worker-streams.ts';
import type { Frame } from '../../../src/shared/types.ts';
import { astronaut, cutFrame, group, readFrame } from '../../support/lane.ts';
import {
  pause,
  repositoryCache,
  startAgent,
  startLiveKit,
  type TestAgent,
  type TestLiveKit,
  whyNoLiveKit,
} from '../../support/livekit.ts';
import { CameraOfCluster, ViewerOfCluster } from '../../support/livekit-people.ts';
import { patchedConfig, until } from '../../support/server.ts';
import { openWho, type Who } from '../../support/who.ts';

const why = whyNoLiveKit();
const log = pino({ level: 'silent' });

describe.skipIf(why !== null)(`workers of LiveKit${why === null ? '' : ` (${why})`}`, () => {
  let livekit: TestLiveKit;
  let library: RtcLibrary;
  let who: Who;
  let person: Frame;
  let own: Float32Array;
  let source: Float32Array;
  let agents: TestAgent[] = [];
  let people: { leave(): Promise<void> }[] = [];
  let streams = 0;

  beforeAll(async () => {
    livekit = await startLiveKit();
    library = await loadRtc(repositoryCache);
    who = await openWho();
    person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    [own] = (await who.embeddings(person)) as [Float32Array];
    [source] = (await who.embeddings(await readFrame(astronaut))) as [Float32Array];
  }, 60_000);
  afterEach(async () => {
    await Promise.all(people.map((one) => one.leave()));
    await Promise.all(agents.map((one) => one.kill()));
    people = [];
    agents = [];
  });
  afterAll(() => livekit?.stop());

  const agent = async (...args: string[]): Promise<TestAgent> => {
    const one = await startAgent(livekit.at, args);
    agents.push(one);
    return one;
  };

  /** A camera that publishes, and a viewer. */
  async function stream(settings = {}): Promise<{
    tickets: PublisherTickets;
    camera: CameraOfCluster;
    viewer: ViewerOfCluster;
  }> {
    const tickets = publisherTickets(livekit.issuer, { stream: `s${streams++}`, publisher: 'ann' }, settings);
    const viewer = new ViewerOfCluster(library);
    const camera = new CameraOfCluster(library);
    people.push(viewer, camera);
    await viewer.join(livekit.at, viewerTicket(livekit.issuer, tickets.stream, 'vic'));
    await camera.join(livekit.at, tickets);
    await camera.publish(person);
    return { tickets, camera, viewer };
  }

  /** Whether a face is nearer to the source's than to the camera's. */
  const isSwapped = (face: Float32Array): boolean => distance(face, source) < distance(face, own);

  /** The faces of all pictures that a viewer gets while something is done; one in so many. */
  function watchFaces(viewer: ViewerOfCluster, every = 10): { pictures: Frame[] } {
    const pictures: Frame[] = [];
    let n = 0;
    viewer.onPicture = (picture) => {
      if (n++ % every === 0) pictures.push(picture);
    };
    return { pictures };
  }

  async function expectNeverBare(pictures: readonly Frame[]): Promise<void> {
    for (const picture of pictures)
      for (const face of await who.embeddings(picture)) expect(isSwapped(face)).toBe(true);
  }

  test('a viewer sees the swapped face, from the first picture on', async () => {
    await agent();
    const { viewer } = await stream();
    const { pictures } = watchFaces(viewer, 5);
    await until(() => viewer.seen.length > 60, 'pictures', 20_000);
    expect(viewer.announced).toEqual([expect.stringMatching(/^faceoff-ann-.+\/swapped$/)]);
    const faces = await who.embeddings(viewer.picture!);
    expect(faces).toHaveLength(1);
    expect(isSwapped(faces[0]!)).toBe(true);
    await expectNeverBare(pictures);
  }, 60_000);

  test('a viewer’s token does not open the camera’s room, and in the stream’s room the publisher’s own camera is refused', async () => {
    const tickets = publisherTickets(livekit.issuer, { stream: 'closed', publisher: 'ann' });
    const viewer = new ViewerOfCluster(library);
    const camera = new CameraOfCluster(library);
    const intruder = new CameraOfCluster(library);
    people.push(viewer, camera, intruder);
    await camera.join(livekit.at, tickets);
    await camera.publish(person);
    await viewer.join(livekit.at, viewerTicket(livekit.issuer, 'closed', 'vic'));
    await pause(1500);
    expect(viewer.seen).toEqual([]);
    expect(viewer.announced).toEqual([]);
    // Its room is part of the token; there is no name by which a viewer's token could name a camera's room.
    expect(() => viewerTicket(livekit.issuer, cameraRoom(tickets), 'vic')).toThrow(/letters, digits/);
    await intruder.join(livekit.at, { camera: tickets.sound });
    await expect(intruder.publish(person)).rejects.toThrow();
    expect(viewer.announced).toEqual([]);
  }, 60_000);

  test('a publisher cannot watch the camera’s room', async () => {
    const tickets = publisherTickets(livekit.issuer, { stream: 'blind', publisher: 'ann' });
    const camera = new CameraOfCluster(library);
    const again = new ViewerOfCluster(library);
    const operator = new ViewerOfCluster(library);
    people.push(camera, again, operator);
    await camera.join(livekit.at, tickets);
    await camera.publish(person);
    // Tokens that only the secret can sign: one with the grant of the publisher, and one that may subscribe.
    const ticket = (identity: string, canSubscribe: boolean) => {
      const grant = { roomJoin: true, room: cameraRoom(tickets), canPublish: true, canSubscribe };
      return { room: cameraRoom(tickets), token: accessToken(livekit.at, { identity, grant, lifetimeMs: 60_000 }) };
    };
    await again.join(livekit.at, ticket('bob', false));
    await operator.join(livekit.at, ticket('eve', true));
    await until(() => operator.seen.length > 10, 'pictures of the one that may subscribe', 20_000);
    expect(again.seen).toEqual([]);
  }, 60_000);

  test('a wrong secret ends the worker with a sentence that says what to do', async () => {
    const wrong = { ...livekit.at, secret: 'another-secret-that-has-32-characters-too' };
    await expect(startAgent(wrong)).rejects.toThrow(/LiveKit refused the key or the secret\. Set FACEOFF_LIVEKIT_KEY/);
  }, 60_000);

  test('tells that it is ready, its load and its jobs', async () => {
    const one = await agent();
    const ready = async () => (await (await fetch(`${one.health}/readyz`)).json()) as Record<string, unknown>;
    expect(await ready()).toMatchObject({ ready: true, registered: true, draining: false, jobs: 0 });
    const { viewer } = await stream();
    await until(() => viewer.seen.length > 10, 'pictures', 20_000);
    expect(await ready()).toMatchObject({ jobs: 1 });
    const metrics = await (await fetch(`${one.health}/metrics`)).text();
    expect(metrics).toMatch(/^faceoff_agent_jobs 1$/m);
    expect(metrics).toMatch(/^faceoff_agent_registered 1$/m);
    expect(metrics).toMatch(/^faceoff_agent_first_picture_seconds_count 1$/m);
  }, 60_000);

  test('settings of the publisher hold from the first picture, and change by its attribute', async () => {
    await agent();
    const { viewer, camera } = await stream({ on: false, guarded: false });
    await until(() => viewer.seen.length > 20, 'pictures', 20_000);
    expect((await who.embeddings(viewer.picture!)).map(isSwapped)).toEqual([false]);
    await camera.room.localParticipant!.setAttributes({ 'faceoff.settings': JSON.stringify({ face: 'nobody' }) });
    const job = () =>
      [...camera.room.remoteParticipants.values()].find(({ identity }) => identity.startsWith('faceoff-'));
    await until(() => /"problem"/.test(job()?.attributes['faceoff.state'] ?? ''), 'the refusal', 20_000);
    await camera.room.localParticipant!.setAttributes({ 'faceoff.settings': '{}' });
    await until(async () => (await who.embeddings(viewer.picture!)).some(isSwapped), 'the swapped face', 10_000);
  }, 60_000);

  test('a program changes a stream’s settings through the server, and is told what the worker refuses', async () => {
    await agent();
    const { viewer, tickets } = await stream({ guarded: false });
    await until(() => viewer.seen.length > 10, 'pictures', 20_000);
    const streams = new WorkerStreams(livekit.api);
    expect(await streams.find('another')).toBeNull();
    const found = (await streams.find(tickets.stream))!;
    expect(found.settings).toMatchObject({ on: true, guarded: false });
    expect(await found.change({ on: false })).toMatchObject({ on: false, guarded: false });
    await until(async () => !(await who.embeddings(viewer.picture!)).some(isSwapped), 'the camera as it is', 10_000);
    await expect(found.change({ face: 'nobody' })).rejects.toMatchObject({ code: 'bad_settings' });
    // What was refused is not what the next job begins with.
    expect(await found.change({ on: true })).toMatchObject({ on: true, guarded: false });
    await until(async () => (await who.embeddings(viewer.picture!)).some(isSwapped), 'the swapped face', 10_000);
    // As a slider moves: no change loses what another set.
    const changes = [{ strength: 0.5 }, { keepEyes: true }, { strength: 0.7 }].map(async (patch, n) => {
      await pause(60 * n);
      return (await streams.find(tickets.stream))!.change(patch);
    });
    await Promise.all(changes);
    await until(async () => {
      const { settings } = (await streams.find(tickets.stream))!;
      return settings.strength === 0.7 && settings.keepEyes;
    }, 'all three changes');
  }, 60_000);

  test('a worker that is killed: its publisher asks again and is swapped by another', async () => {
    const first = await agent();
    const { tickets, viewer } = await stream();
    await until(() => viewer.seen.length > 30, 'pictures', 20_000);
    await agent();
    const cluster = new Cluster(patchedConfig({ livekit: { ...livekit.at } }), log);
    const { pictures } = watchFaces(viewer, 5);
    const killedAtMs = performance.now();
    await first.kill();
    // As the page does: a second without a picture.
    await until(() => performance.now() - viewer.seen.at(-1)!.atMs > 1000, 'a second without a picture');
    const before = viewer.seen.length;
    expect(await cluster.dispatchAgain(tickets.stream, tickets.publisher)).toEqual({ place: null });
    await until(() => viewer.seen.length > before + 20, 'pictures again', 20_000);
    cluster.close();
    console.log(`killed: longest gap ${Math.round(viewer.longestGapMs(killedAtMs - 100))} ms`);
    await expectNeverBare(pictures);
  }, 90_000);

  test('SIGTERM: another worker takes the job before the first leaves', async () => {
    const first = await agent();
    const { viewer, tickets } = await stream();
    await until(() => viewer.seen.length > 30, 'pictures', 20_000);
    await agent();
    const { pictures } = watchFaces(viewer, 5);
    const usualGapMs = viewer.longestGapMs(performance.now() - 5000);
    const atMs = performance.now();
    await first.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    await pause(2000);
    const jobs = (await livekit.api.participants(cameraRoom(tickets))).filter(({ identity }) => identity !== 'ann');
    expect(jobs).toHaveLength(1);
    expect(new Set(viewer.announced).size).toBe(2);
    const gapMs = viewer.longestGapMs(atMs);
    console.log(
      `drained: longest gap ${Math.round(gapMs)} ms, in the five seconds before ${Math.round(usualGapMs)} ms`,
    );
    await expectNeverBare(pictures);
  }, 90_000);

  test('a worker that has grown hands its job over, and ends in order', async () => {
    const first = await agent('--set', 'livekit.recycleMb=256');
    const { viewer } = await stream();
    await until(() => viewer.seen.length > 10, 'pictures', 20_000);
    await agent();
    expect(await first.ended).toBe(0);
    expect(first.said()).toMatch(/"recycleMb":256,.*the worker has grown/);
    const before = viewer.seen.length;
    await until(() => viewer.seen.length > before + 20, 'pictures of the other worker', 20_000);
  }, 90_000);

  test('publishers that find all workers full wait in line, and get one when there is room', async () => {
    const only = await agent('--set', 'limits.sessions=1');
    const first = await stream();
    await until(() => first.viewer.seen.length > 10, 'pictures', 20_000);
    const cluster = new Cluster(patchedConfig({ livekit: { ...livekit.at } }), log);
    const second = await stream();
    const third = await stream();
    const asks = (one: typeof first) => cluster.dispatchAgain(one.tickets.stream, one.tickets.publisher);
    expect([await asks(second), await asks(third)]).toEqual([{ place: 1 }, { place: 2 }]);
    expect(second.viewer.seen).toEqual([]);
    expect(await (await fetch(`${only.health}/metrics`)).text()).toMatch(/^faceoff_agent_free_jobs 0$/m);
    await first.camera.leave();
    await until(() => second.viewer.seen.length > 10, 'pictures of the second', 30_000);
    cluster.close();
    expect(third.viewer.seen).toEqual([]);
  }, 120_000);

  test('a publisher whose camera came while no worker was there gets one', async () => {
    const { viewer } = await stream();
    const cluster = new Cluster(patchedConfig({ livekit: { ...livekit.at } }), log);
    await agent();
    await until(() => viewer.seen.length > 10, 'pictures', 30_000);
    cluster.close();
  }, 90_000);

  test('pictures of another size go on, and too small ones are left out', async () => {
    const one = await agent();
    const { viewer, camera } = await stream();
    await until(() => viewer.seen.length > 20, 'pictures', 20_000);
    camera.show(await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 960, 720));
    await until(() => viewer.picture?.width === 960, 'pictures of another size', 20_000);
    camera.show({ width: 8, height: 8, data: new Uint8Array(96).fill(128), receivedAtMs: 0 });
    await pause(1000);
    camera.show(person);
    const before = viewer.seen.length;
    await until(() => viewer.seen.length > before + 20, 'pictures again', 20_000);
    expect(one.child.exitCode).toBeNull();
  }, 90_000);
});
