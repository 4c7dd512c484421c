/** Chromium with H.264 alone, as a publisher and as a viewer, against the program people start. */

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { cacheWithH264, whyNoH264 } from '../support/h264.ts';
import { Publisher } from '../support/publisher.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { connectInPage } from './h264-page.ts';

declare global {
  interface Window {
    again: () => Promise<void>;
  }
}

/** What the browser says of a connection. */
interface Figures {
  state: string;
  /** Pictures decoded, their size, their codec, and packets of sound that came. */
  decoded: number;
  size: string;
  codec: string;
  sounds: number;
  keyframes: number;
  messages: string[];
  /** The middle of the last picture: red, green, blue. */
  colour: number[];
}

const why = whyNoH264();

describe.skipIf(why !== null)(`Chromium with H.264 alone${why === null ? '' : ` (skipped: ${why})`}`, () => {
  const cacheDir = cacheWithH264();
  let browser: Browser;
  let program: Program;
  let page: Page;
  let camera: Publisher | null = null;

  beforeAll(async () => {
    program = await startProgram(['--set', 'swap.engine=none', '--set', `models.cacheDir=${cacheDir}`]);
    browser = await launchBrowser();
    page = await (await browser.newContext({ viewport: { width: 1280, height: 960 } })).newPage();
    await page.goto(`${program.url}/view/none`);
  }, 120_000);
  afterAll(async () => {
    camera?.close();
    await browser?.close();
    await program?.stop();
  });

  /** Opens a connection in the page under a name. @returns the status and the answer. */
  const connect = (
    name: string,
    path: string,
    publishes: boolean,
    layers: readonly string[] = [],
  ): Promise<{ status: number; answer: string }> => page.evaluate(connectInPage, { name, path, publishes, layers });

  const figures = (name: string): Promise<Figures> =>
    page.evaluate(async (name) => {
      const { connection, messages } = window.clients[name]!;
      const stats = [...(await connection.getStats()).values()];
      const video = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video') ?? {};
      const sound = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio') ?? {};
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [64, 48];
      const context = canvas.getContext('2d')!;
      context.drawImage(document.getElementById(name) as HTMLVideoElement, 0, 0, 64, 48);
      return {
        state: connection.connectionState,
        decoded: (video.framesDecoded as number) ?? 0,
        size: `${video.frameWidth}x${video.frameHeight}`,
        codec: (stats.find(({ id }) => id === video.codecId)?.mimeType as string) ?? '',
        sounds: (sound.packetsReceived as number) ?? 0,
        keyframes: (video.keyFramesDecoded as number) ?? 0,
        messages,
        colour: [...context.getImageData(32, 24, 1, 1).data].slice(0, 3),
      };
    }, name);

  const end = (name: string): Promise<void> =>
    page.evaluate(async (name) => {
      const { connection, location } = window.clients[name]!;
      connection.close();
      document.getElementById(name)!.remove();
      await fetch(location, { method: 'DELETE' });
    }, name);

  /** A publisher in VP8 under the name `vp8`, once for all tests. */
  async function publishInVp8(): Promise<Publisher> {
    if (camera !== null) return camera;
    const publisher = new Publisher();
    camera = publisher;
    publisher.send(320, 240);
    expect((await publisher.whip(program.url, '?stream=vp8')).status).toBe(201);
    await until(() => publisher.received.length > 0, 'pictures to come back');
    return publisher;
  }

  test('publishes with sound and gets the pictures back on the same connection, in H.264', async () => {
    const { status, answer } = await connect('self', '/whip?stream=self', true);
    expect([status, answer.match(/^m=(?:video|audio) 9.*$/gm)?.length]).toEqual([201, 2]);
    await until(async () => (await figures('self')).decoded > 40, 'pictures to come back', 20_000);
    const { size, codec, messages, state } = await figures('self');
    expect({ size, codec, state }).toEqual({ size: '640x480', codec: 'video/H264', state: 'connected' });
    expect(messages.length).toBeGreaterThan(0);
  });

  test('watches that publisher with its sound', async () => {
    expect((await connect('other', '/whep/self', false)).status).toBe(201);
    await until(async () => (await figures('other')).decoded > 20, 'pictures', 20_000);
    await until(async () => (await figures('other')).sounds > 20, 'sound');
    expect((await figures('other')).codec).toBe('video/H264');
    await end('other');
    await end('self');
  });

  test('publishes in several layers, of which one is taken and named', async () => {
    const { status, answer } = await connect('layers', '/whip?stream=layers', true, ['hi', 'lo']);
    expect(status).toBe(201);
    expect(answer).toContain('a=simulcast:recv hi\r\n');
    await until(async () => (await figures('layers')).decoded > 40, 'pictures to come back', 20_000);
    // Half the width would be the other layer; a busy browser makes even this one smaller.
    expect(Number.parseInt((await figures('layers')).size, 10)).toBeGreaterThan(320);
    const sent = await page.evaluate(async () =>
      [...(await window.clients.layers!.connection.getStats()).values()]
        .filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video')
        .map(({ rid, active, framesSent }) => ({ rid, active, sends: framesSent > 0 })),
    );
    expect(sent.filter(({ sends }) => sends).map(({ rid }) => rid)).toEqual(['hi']);
    await end('layers');
  });

  test('publishes over the socket of the pages with candidates one by one, and adds its sound later', async () => {
    await page.evaluate(async () => {
      const connection = new RTCPeerConnection();
      const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`);
      await new Promise((resolve) => socket.addEventListener('open', resolve));
      const answers: string[] = [];
      const tell = (message: object): void => socket.send(JSON.stringify(message));
      socket.addEventListener('message', async ({ data }) => {
        const message = JSON.parse(data as string) as {
          type: string;
          sdp: string;
          candidate: RTCIceCandidateInit | null;
        };
        if (message.type === 'answer') {
          await connection.setRemoteDescription({ type: 'answer', sdp: message.sdp });
          answers.push(message.sdp);
        }
        if (message.type === 'candidate' && message.candidate !== null)
          await connection.addIceCandidate(message.candidate);
        if (message.type === 'error') answers.push(JSON.stringify(message));
      });
      connection.onicecandidate = ({ candidate }) =>
        tell({ type: 'candidate', candidate: candidate && pick(candidate) });
      const pick = ({ candidate, sdpMid, sdpMLineIndex }: RTCIceCandidate) => ({ candidate, sdpMid, sdpMLineIndex });
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true });
      const video = connection.addTransceiver(stream.getVideoTracks()[0]!, {
        direction: 'sendrecv',
        streams: [stream],
      });
      video.setCodecPreferences(
        RTCRtpReceiver.getCapabilities('video')!.codecs.filter(({ mimeType }) => mimeType === 'video/H264'),
      );
      await connection.setLocalDescription();
      tell({ type: 'offer', sdp: connection.localDescription!.sdp, stream: 'socket' });
      window.clients ??= {};
      window.clients.socket = { connection, messages: answers, location: '' };
      window.again = async () => {
        connection.addTransceiver(stream.getAudioTracks()[0]!, { direction: 'sendonly', streams: [stream] });
        await connection.setLocalDescription();
        tell({ type: 'offer', sdp: connection.localDescription!.sdp });
      };
      const view = document.createElement('video');
      view.id = 'socket';
      document.body.append(view);
    });
    await until(async () => (await figures('socket')).decoded > 20, 'pictures to come back', 20_000);
    await page.evaluate(() => window.again());
    await until(async () => (await figures('socket')).messages.length > 1, 'the second answer');
    expect((await figures('socket')).messages[1]).toMatch(/m=audio 9 [\s\S]*a=recvonly/);
    expect((await connect('hearing', '/whep/socket', false)).status).toBe(201);
    await until(async () => (await figures('hearing')).sounds > 20, 'sound', 20_000);
    const before = (await figures('socket')).decoded;
    await until(async () => (await figures('socket')).decoded > before + 20, 'pictures to go on');
    await end('hearing');
    await page.evaluate(() => window.clients.socket!.connection.close());
  });

  test('watches a publisher in VP8, in its colours, and a second viewer begins with a keyframe of its own', async () => {
    const publisher = await publishInVp8();
    expect((await connect('first', '/whep/vp8', false)).status).toBe(201);
    await until(async () => (await figures('first')).decoded > 20, 'pictures', 20_000);
    expect((await connect('second', '/whep/vp8', false)).status).toBe(201);
    await until(async () => (await figures('second')).decoded > 10, 'pictures', 20_000);
    const [first, second] = [await figures('first'), await figures('second')];
    expect([first.size, second.size]).toEqual(['320x240', '320x240']);
    // Bluish, as the publisher sends it: Y 120, U 170, V 90.
    for (const { colour } of [first, second]) {
      const [red = 0, green = 0, blue = 0] = colour;
      expect(Math.abs(red - 60) + Math.abs(green - 135) + Math.abs(blue - 206)).toBeLessThan(40);
    }
    // A larger picture from the same publisher comes on the same connections.
    publisher.send(480, 360);
    await until(async () => (await figures('second')).size === '480x360', 'the new size', 20_000);
    for (const name of ['first', 'second']) await end(name);
  });

  test('in the page of a viewer gets H.264 by itself', async () => {
    await publishInVp8();
    const viewer = await page.context().newPage();
    await viewer.addInitScript(() => {
      const Peer = window.RTCPeerConnection;
      window.RTCPeerConnection = class extends Peer {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          Object.assign(window, { peer: this });
        }
      };
    });
    await viewer.goto(`${program.url}/view/vp8`);
    await viewer.waitForSelector('body[data-state="live"]', { timeout: 20_000 });
    const codec = await viewer.evaluate(async () => {
      const stats = [...(await (window as unknown as { peer: RTCPeerConnection }).peer.getStats()).values()];
      const video = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
      return stats.find(({ id }) => id === video?.codecId)?.mimeType as string;
    });
    expect(codec).toBe('video/H264');
    await viewer.close();
  });
});
