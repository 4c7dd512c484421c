/** SIGTERM while the program works: what is under way is finished or given up whole, and the exit code is 0. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { astronaut } from '../../support/lane.ts';
import { Publisher } from '../../support/publisher.ts';
import { type Program, startProgram, until } from '../../support/server.ts';
import { complaints, probe } from '../../support/video.ts';
import { Watcher } from '../../support/viewer.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const FACELESS = ['--set', 'swap.engine=none', '--set', 'recording.minFreeMb=0'];
const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of left.splice(0).reverse()) await clean();
});

async function start(settings: string[] = []): Promise<Program> {
  const server = await startProgram([...FACELESS, ...settings]);
  left.push(() => server.stop());
  return server;
}

async function publish({ url }: Program, stream: string): Promise<Publisher> {
  const camera = new Publisher();
  left.push(() => camera.close());
  camera.send(320, 240);
  expect((await camera.whip(url, `?stream=${stream}`)).status).toBe(201);
  await until(() => camera.received.length > 0, 'pictures');
  return camera;
}

/** A publisher that is recorded, and a viewer of it. */
async function recorded(
  program: Program,
  stream = 'last',
): Promise<{ camera: Publisher; viewer: Watcher; recording: string }> {
  const { url } = program;
  const camera = await publish(program, stream);
  const viewer = new Watcher();
  left.push(() => viewer.close());
  expect((await viewer.whep(url, stream)).status).toBe(201);
  const recording = `${url}/api/sessions/${camera.location.split('/').at(-1)}/recording`;
  expect((await fetch(recording, { method: 'POST' })).status).toBe(201);
  const frames = async (): Promise<number> => ((await (await fetch(recording)).json()) as { frames: number }).frames;
  await until(async () => (await frames()) > 15 && viewer.received > 0, 'pictures to be recorded and seen', 20_000);
  return { camera, viewer, recording };
}

/** Sends half of an upload. */
async function halfAnUpload(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  left.push(() => socket.destroy());
  socket.on('error', () => undefined);
  const part = (name: string, more = ''): string =>
    `--b\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const picture = readFileSync(astronaut);
  const head = `${part('consent')}true\r\n${part('file', '; filename="face.webp"')}`;
  socket.write(
    `POST /api/faces HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: ${head.length + picture.length + 9}\r\n\r\n${head}`,
  );
  await new Promise<void>((resolve) => socket.write(picture.subarray(0, picture.length / 2), () => resolve()));
  return socket;
}

/** Sends SIGTERM. Resolves with the exit code, or the signal that ended the program. */
async function terminate({ child }: Program): Promise<number | string | null> {
  const ended = new Promise<number | string | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );
  child.kill('SIGTERM');
  return ended;
}

const filesOf = (server: Program, name: string): string[] => readdirSync(path.join(server.folder, name));

describe.skipIf(process.platform === 'win32' || !hasFfmpeg)('SIGTERM', () => {
  test('with four streams, two recordings and half an upload ends all of them in order, exit 0', async () => {
    const server = await start();
    const cameras = [await publish(server, 'one'), await publish(server, 'two')];
    for (const stream of ['three', 'four']) cameras.push((await recorded(server, stream)).camera);
    const socket = await halfAnUpload(server.url);
    const cutOff = new Promise((resolve) => socket.once('close', resolve));
    expect(await terminate(server)).toBe(0);
    await cutOff;
    const files = filesOf(server, 'recordings');
    expect(files.map((file) => /-(\w+)\.webm$/.exec(file)?.[1]).sort()).toEqual(['four', 'three']);
    for (const file of files) {
      const video = path.join(server.folder, 'recordings', file);
      expect(probe(video).timesMs.length).toBeGreaterThan(15);
      expect(complaints(video)).toBe('');
    }
    expect(filesOf(server, 'data/faces')).toEqual([]);
    const isTold = ({ connection }: Publisher): boolean => connection.connectionState !== 'connected';
    await until(() => cameras.every(isTold), 'the publishers to be told');
    expect(server.said()).toContain('recording finished');
    expect(server.said()).not.toContain('"level":50');
  });

  test('lets streams go on for server.drainMs and takes no more, and ends with the last of them, exit 0', async () => {
    const server = await start(['--set', 'server.drainMs=60000']);
    const camera = await publish(server, 'drained');
    const ended = terminate(server);
    const refused = async (): Promise<unknown> => {
      const another = new Publisher();
      left.push(() => another.close());
      another.send(320, 240);
      const answer = await another.whip(server.url, '?stream=late');
      return answer.status === 503 && ((await answer.json()) as { code: string }).code;
    };
    await until(async () => (await refused()) === 'server_stopping', 'new streams to be refused');
    const before = camera.received.length;
    await until(() => camera.received.length > before + 10, 'pictures to go on');
    expect(server.child.exitCode).toBeNull();
    await fetch(camera.location, { method: 'DELETE' });
    expect(await ended).toBe(0);
  });

  test('while an ffmpeg stands still ends within the grace time, exit 0, and the next start keeps its recording', async () => {
    const server = await start();
    await recorded(server);
    const list = spawnSync('pgrep', ['-P', String(server.child.pid), 'ffmpeg'], { encoding: 'utf8' }).stdout;
    const ffmpeg = Number(list.trim());
    expect(ffmpeg).toBeGreaterThan(0);
    process.kill(ffmpeg, 'SIGSTOP');
    left.push(() => process.kill(ffmpeg, 'SIGKILL'));
    expect(await terminate(server)).toBe(0);
    expect(server.said()).toContain('not everything ended in time');
    expect(filesOf(server, 'recordings')).toEqual([expect.stringMatching(/^\.part-.*-last\.webm$/)]);
    process.kill(ffmpeg, 'SIGCONT');
    await until(() => spawnSync('kill', ['-0', String(ffmpeg)]).status !== 0, 'ffmpeg to finish its file');
    left.pop();

    const next = await startProgram([...FACELESS, '--set', `recording.dir=${path.join(server.folder, 'recordings')}`]);
    left.push(() => next.stop());
    const kept = (await (await fetch(`${next.url}/api/recordings`)).json()) as { file: string }[];
    expect(kept).toEqual([expect.objectContaining({ file: expect.stringMatching(/-last\.webm$/) })]);
    expect(complaints(path.join(server.folder, 'recordings', kept[0]!.file))).toBe('');
  });
});

test.skipIf(process.platform === 'win32')(
  'a server that is sent SIGTERM while it starts ends at once, exit 0',
  async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-starting-'));
    left.push(() => rmSync(folder, { recursive: true, force: true }));
    const logs = path.join(folder, 'logs');
    // The log is opened first of all; lanes and models take seconds from there.
    const kill = `(until [ -e ${logs} ]; do sleep 0.02; done; kill -TERM $$) & exec "$@"`;
    const ended = await startProgram(['--set', `logging.dir=${logs}`], ['sh', '-c', kill, 'sh']).catch(String);
    expect(ended).toMatch(/the server ended with 0: /);
  },
);

test.skipIf(process.platform === 'win32' || !hasFfmpeg)(
  'a server that is killed, as where the system is out of memory, leaves whole files, and the next one keeps its recording',
  async () => {
    const server = await start();
    await recorded(server);
    const ended = new Promise((resolve) => server.child.once('exit', resolve));
    server.child.kill('SIGKILL');
    await ended;
    const next = await startProgram([
      ...FACELESS,
      ...['data', 'recordings', 'cache'].flatMap((name) => {
        const key = { data: 'storage.dir', recordings: 'recording.dir', cache: 'models.cacheDir' }[name];
        return ['--set', `${key}=${path.join(server.folder, name)}`];
      }),
    ]);
    left.push(() => next.stop());
    expect(next.said()).toContain('a recording that was cut off is kept');
    const [kept] = (await (await fetch(`${next.url}/api/recordings`)).json()) as { file: string }[];
    expect(probe(path.join(server.folder, 'recordings', kept!.file)).timesMs.length).toBeGreaterThan(15);
    // Its publishers and players come back under the same names.
    await recorded(next);
  },
);
