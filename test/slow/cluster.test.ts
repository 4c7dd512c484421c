/** A cluster: two LiveKit nodes behind a balancer, Redis between them, two workers, four rooms. Workers and nodes are killed. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import net from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RtcLibrary } from '../../src/agent/rtc-library.ts';
import { loadRtc } from '../../src/agent/rtc-packages.ts';
import { type LiveKitAddress, LiveKitApi } from '../../src/livekit/livekit-api.ts';
import { cameraRoom } from '../../src/livekit/room-names.ts';
import { type PublisherTickets, publisherTickets, viewerTicket } from '../../src/livekit/stream-tokens.ts';
import { distance } from '../../src/pipeline/face/embed.ts';
import { Cluster } from '../../src/server/cluster/cluster.ts';
import { messageOf } from '../../src/shared/errors.ts';
import type { Frame } from '../../src/shared/types.ts';
import { astronaut, cutFrame, group, readFrame } from '../support/lane.ts';
import {
  freePort,
  pause,
  repositoryCache,
  startAgent,
  startLiveKit,
  type TestAgent,
  type TestLiveKit,
  whyNoLiveKit,
} from '../support/livekit.ts';
import { CameraOfCluster, ViewerOfCluster } from '../support/livekit-people.ts';
import { patchedConfig, until } from '../support/server.ts';
import { openWho } from '../support/who.ts';

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
const why = hasRedis ? whyNoLiveKit() : 'there is no redis-server: apt install redis-server';

/** Passes connections on to the first address that takes them, as a balancer with health checks does. */
function balance(ports: () => readonly number[]): net.Server {
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    const next = ([port, ...others]: readonly number[]): void => {
      if (port === undefined) {
        socket.destroy();
        return;
      }
      const node = net.connect(port, '127.0.0.1');
      node.once('error', () => next(others));
      node.once('connect', () => {
        node.removeAllListeners('error');
        for (const [one, other] of [
          [node, socket],
          [socket, node],
        ] as const) {
          one.pipe(other);
          one.on('error', () => other.destroy());
          one.on('close', () => other.destroy());
        }
      });
    };
    next(ports());
  });
  return server;
}

/**
 * Settings of a worker whose number of jobs alone decides: a ladder that rises, as on a busy machine, would be load, and a
 * worker that is full takes no job over.
 */
const placesFor = (jobs: number): string[] =>
  [`limits.sessions=${jobs}`, 'livekit.maxLoad=1', 'pipeline.budgetMs=1000'].flatMap((one) => ['--set', one]);

const FPS = 6;

interface Room {
  tickets: PublisherTickets;
  camera: CameraOfCluster;
  viewer: ViewerOfCluster;
  /** One picture in five. */
  pictures: Frame[];
}

describe.skipIf(why !== null)(`a cluster${why === null ? '' : ` (${why})`}`, () => {
  let redis: ChildProcess;
  let nodes: TestLiveKit[] = [];
  let agents: TestAgent[] = [];
  let balancer: net.Server;
  let at: LiveKitAddress;
  let api: LiveKitApi;
  let library: RtcLibrary;
  let cluster: Cluster;
  let watch: NodeJS.Timeout;
  const rooms: Room[] = [];

  beforeAll(async () => {
    const port = await freePort();
    redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
      stdio: 'ignore',
    });
    await pause(500);
    nodes = [await startLiveKit(`127.0.0.1:${port}`), await startLiveKit(`127.0.0.1:${port}`)];
    let turn = 0;
    balancer = balance(() => {
      const ports = nodes.map((node) => Number(new URL(node.at.url).port));
      return turn++ % 2 === 0 ? ports : ports.reverse();
    });
    await new Promise<void>((resolve) => balancer.listen(0, '127.0.0.1', resolve));
    at = { ...nodes[0]!.at, url: `ws://127.0.0.1:${(balancer.address() as net.AddressInfo).port}` };
    api = new LiveKitApi(at);
    library = await loadRtc(repositoryCache);
    agents = [await startAgent(at, placesFor(3)), await startAgent(at, placesFor(3))];
    cluster = new Cluster(patchedConfig({ livekit: { ...at } }), pino({ level: 'silent' }));
    const person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    for (let n = 0; n < 4; n++) {
      const tickets = publisherTickets(nodes[0]!.issuer, { stream: `room${n}`, publisher: `p${n}` });
      const room: Room = {
        tickets,
        camera: new CameraOfCluster(library),
        viewer: new ViewerOfCluster(library),
        pictures: [],
      };
      rooms.push(room);
      let seen = 0;
      room.viewer.onPicture = (picture) => {
        if (seen++ % 5 === 0) room.pictures.push(picture);
      };
      await room.viewer.join(at, viewerTicket(nodes[0]!.issuer, tickets.stream, 'vic'));
      await room.camera.join(at, tickets);
      // Seldom enough that a busy machine has time for all of them.
      await room.camera.publish(person, FPS);
      // Loads are as fresh as the last report.
      await pause(1000);
    }
    // As the page does: a second without a picture, and each second from then on.
    watch = setInterval(() => {
      for (const { viewer, tickets } of rooms)
        if (performance.now() - (viewer.seen.at(-1)?.atMs ?? performance.now()) > 1000)
          cluster.dispatchAgain(tickets.stream, tickets.publisher).catch(() => undefined);
    }, 250);
    await until(() => rooms.every(({ viewer }) => viewer.seen.length > 20), 'pictures in all rooms', 60_000);
  }, 180_000);
  afterAll(async () => {
    clearInterval(watch);
    cluster?.close();
    for (const one of agents) await one.kill();
    for (const one of nodes) await one.stop();
    balancer?.close();
    redis?.kill('SIGKILL');
    // A room whose node was killed may never say that it is left.
    const left = rooms.flatMap(({ camera, viewer }) => [camera.leave(), viewer.leave()]);
    await Promise.race([Promise.all(left), pause(5000)]);
  }, 60_000);

  const jobsOf = async (agent: TestAgent): Promise<number> =>
    ((await (await fetch(`${agent.health}/readyz`)).json()) as { jobs: number }).jobs;

  /** Mean time from a job's assignment to its first picture, of each worker. */
  const firstPictures = () =>
    Promise.all(
      agents.map(async ({ health }) => {
        const text = await (await fetch(`${health}/metrics`)).text();
        const of = (part: string): number =>
          Number(new RegExp(`^faceoff_agent_first_picture_seconds_${part} (.*)$`, 'm').exec(text)![1]);
        return `${of('count')} in ${Math.round((1000 * of('sum')) / Math.max(1, of('count')))} ms`;
      }),
    );

  /** What each room and each worker is in, for the reader of a failure. */
  const states = async () => ({
    rooms: await Promise.all(
      rooms.map(async ({ tickets, viewer, camera }) => ({
        lastMs: Math.round(performance.now() - viewer.seen.at(-1)!.atMs),
        isConnected: [viewer.room.isConnected, camera.room.isConnected],
        camera: (await api.participants(cameraRoom(tickets))).map(({ identity, state, tracks }) => [
          identity,
          state,
          tracks.length,
        ]),
        stream: (await api.participants(tickets.stream)).map(({ identity, state, tracks }) => [
          identity,
          state,
          tracks.length,
        ]),
        dispatches: await api.dispatches(cameraRoom(tickets)),
      })),
    ),
    agents: agents.map((one) => one.said().split('\n').slice(-12)),
  });

  const allMove = (sinceMs: number): boolean =>
    rooms.every(({ viewer }) => viewer.seen.filter(({ atMs }) => atMs > sinceMs).length > FPS);

  test('four rooms are spread over both workers', async () => {
    const jobs = await Promise.all(agents.map(jobsOf));
    console.log(`jobs of the workers: ${jobs.join(', ')}`);
    expect(jobs[0]! + jobs[1]!).toBe(4);
    // LiveKit draws; a worker that has three refuses the fourth.
    expect(Math.min(...jobs)).toBeGreaterThan(0);
  });

  test('a killed worker’s rooms are swapped again by others', async () => {
    const counts = await Promise.all(agents.map(jobsOf));
    const victim = agents[counts[0]! >= counts[1]! ? 0 : 1]!;
    agents = [...agents.filter((one) => one !== victim), await startAgent(at, placesFor(4))];
    const atMs = performance.now();
    await victim.kill();
    const taken = async () => (await Promise.all(agents.map(jobsOf))).reduce((sum, jobs) => sum + jobs, 0);
    await until(async () => (await taken()) === 4 && allMove(performance.now() - 2000), 'all rooms', 60_000);
    const gaps = rooms.map(({ viewer }) => Math.round(viewer.longestGapMs(atMs)));
    console.log(`worker killed with ${Math.max(...counts)} jobs: longest gap of each room ${gaps.join(', ')} ms`);
    console.log(`from assignment to first picture, mean: ${(await firstPictures()).join('; ')}`);
  }, 120_000);

  test('a killed node’s rooms come back by themselves', async () => {
    await pause(3000);
    const atMs = performance.now();
    const [first] = nodes.splice(0, 1);
    first!.child.kill('SIGKILL');
    await pause(5000);
    await until(() => allMove(performance.now() - 2000), 'pictures in all rooms', 60_000).catch(
      async (error: unknown) => {
        throw new Error(`${messageOf(error)}: ${JSON.stringify(await states(), null, 1)}`);
      },
    );
    const gaps = rooms.map(({ viewer }) => Math.round(viewer.longestGapMs(atMs)));
    console.log(`node killed: longest gap of each room ${gaps.join(', ')} ms`);
    // A worker whose rooms are lost goes on.
    expect(agents.map(({ child }) => child.exitCode ?? child.signalCode)).toEqual([null, null]);
    for (const { tickets } of rooms)
      expect(
        (await api.participants(cameraRoom(tickets))).filter(({ identity }) => identity.startsWith('p')),
      ).toHaveLength(1);
  }, 120_000);

  test('no viewer saw the bare face', async () => {
    const who = await openWho();
    const person = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
    const [own] = await who.embeddings(person);
    const [source] = await who.embeddings(await readFrame(astronaut));
    let faces = 0;
    for (const picture of rooms.flatMap(({ pictures }) => pictures.slice(0, 60)))
      for (const face of await who.embeddings(picture)) {
        faces++;
        expect(distance(face, source!)).toBeLessThan(distance(face, own!));
      }
    expect(faces).toBeGreaterThan(20);
  }, 180_000);
});
