/** Publishing and watching with WebRTC stacks that are not ours: aiortc and GStreamer, where they are installed. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { type EchoServer, startEcho } from '../../support/echo.ts';
import { cacheWithH264, whyNoH264 } from '../../support/h264.ts';
import { Publisher } from '../../support/publisher.ts';
import { until } from '../../support/server.ts';
import { Watcher } from '../../support/viewer.ts';

const TOKEN = 'a-token-that-nobody-guesses';
const HEADERS = { authorization: `Bearer ${TOKEN}` };
const cacheDir = whyNoH264() === null ? cacheWithH264() : null;
const CLIENTS: { name: string; script: string; codec?: string; needs: string; from: string }[] = [
  { name: 'aiortc', script: 'aiortc_client.py', needs: 'import aiortc', from: 'Debian: python3-aiortc' },
  {
    name: 'GStreamer',
    script: 'gstreamer_client.py',
    needs: [
      'import gi; gi.require_version("Gst", "1.0"); gi.require_version("GstWebRTC", "1.0")',
      'from gi.repository import Gst, GstWebRTC; Gst.init(None)',
      'assert all(Gst.ElementFactory.find(n) for n in ("webrtcbin", "nicesrc", "vp8enc", "rtpvp8pay"))',
    ].join('; '),
    from: 'Debian: python3-gst-1.0 gir1.2-gst-plugins-bad-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice',
  },
  {
    name: 'GStreamer in H.264',
    script: 'gstreamer_client.py',
    codec: 'H264',
    needs: [
      'import gi; gi.require_version("Gst", "1.0"); gi.require_version("GstWebRTC", "1.0")',
      'from gi.repository import Gst, GstWebRTC; Gst.init(None)',
      'assert all(Gst.ElementFactory.find(n) for n in ("webrtcbin", "nicesrc", "x264enc", "rtph264pay", "openh264dec"))',
    ].join('; '),
    from: 'Debian: as GStreamer, and gstreamer1.0-plugins-ugly',
  },
];

/** A Python that has what the client needs. */
function pythonFor(needs: string): string | null {
  for (const python of ['python3', '/usr/bin/python3'])
    if (spawnSync(python, ['-c', needs], { timeout: 20_000 }).status === 0) return python;
  return null;
}

const pictures = (said: string): string => said.match(/\d+ pictures of \S+/)?.[0] ?? 'nothing';

let server: EchoServer;
let ends: (() => void)[] = [];
beforeAll(async () => {
  server = await startEcho({ server: { token: TOKEN }, ...(cacheDir !== null && { models: { cacheDir } }) });
});
afterEach(() => {
  for (const end of ends) end();
  ends = [];
});
afterAll(async () => {
  await server.close();
});

interface Client {
  child: ChildProcess;
  said(): string;
  /** Resolves with what it said at its end. @throws when it did not end well. */
  done: Promise<string>;
}

describe.each(CLIENTS)('$name', ({ name, script, codec, needs, from }) => {
  const why = codec === undefined ? null : whyNoH264();
  const python = why === null ? pythonFor(needs) : null;
  if (python === null) console.warn(`${name} is not installed here, so nothing is tried with it (${why ?? from}).`);

  const run = (what: 'publish' | 'play', address: string, seconds: number): Client => {
    const args = [path.join(root, 'test/slow/interop', script), what, server.url + address, String(seconds), TOKEN];
    if (codec !== undefined) args.push(codec);
    const child = spawn(python!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    ends.push(() => child.kill('SIGKILL'));
    let said = '';
    const hear = (data: Buffer): void => {
      said += data.toString();
    };
    child.stdout!.on('data', hear);
    child.stderr!.on('data', hear);
    const done = new Promise<string>((resolve, reject) => {
      child.once('exit', (code) => (code === 0 ? resolve(said) : reject(new Error(`ended with ${code}: ${said}`))));
    });
    done.catch(() => undefined);
    return { child, said: () => said, done };
  };
  const isReady = async (client: Client): Promise<void> => {
    await Promise.race([client.done, until(() => client.said().includes('ready'), `${name} to connect`, 20_000)]);
  };

  test.skipIf(python === null)('publishes a stream that viewers receive', async () => {
    const client = run('publish', '/whip?stream=theirs', 6);
    await isReady(client);
    const watcher = new Watcher();
    ends.push(() => watcher.close());
    expect((await watcher.whep(server.url, 'theirs', HEADERS)).status).toBe(201);
    await until(() => watcher.received > 20, 'their pictures');
    console.log(`${name} publishes ${watcher.size}: ${pictures(await client.done)} came back`);
    expect(server.sessions.size).toBe(0);
  });

  test.skipIf(python === null)('views a published stream', async () => {
    const camera = new Publisher();
    ends.push(() => camera.close());
    camera.send(320, 240);
    expect((await camera.whip(server.url, '?stream=ours', HEADERS)).status).toBe(201);
    await until(() => camera.received.length > 0, 'pictures');
    const said = await run('play', '/whep/ours', 4).done;
    console.log(`${name} watches: ${pictures(said)}`);
    const [, count, size] = said.match(/(\d+) pictures of (\S+)/)!;
    expect(Number(count)).toBeGreaterThan(40);
    expect(size).toBe('320x240');
    expect(server.sessions.all()[0]!.viewers).toBe(0);
    server.sessions.close();
  });
});
