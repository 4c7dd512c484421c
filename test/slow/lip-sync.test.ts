/** Sound and picture of a person in a call, as another browser receives them: a clapperboard flashes and beeps. */

import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { cacheWithH264, whyNoH264 } from '../support/h264.ts';
import { group } from '../support/lane.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { type Claps, installClapper } from './clapper.ts';

const CLAPS = 12;
/** In the first seconds the jitter buffers of the browser still find their length. */
const SETTLED = 9;

const why = whyNoH264();
const cacheDir = why === null ? cacheWithH264() : null;
if (why !== null) console.warn(`nothing is tried in H.264: ${why}`);
/** Codecs of publisher and viewer; null for the browser's choice. */
const CODECS = why === null ? [null, 'video/H264'] : [null];

let program: Program;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  program = await startProgram(cacheDir === null ? [] : ['--set', `models.cacheDir=${cacheDir}`]);
  browser = await launchBrowser(undefined, ['--autoplay-policy=no-user-gesture-required']);
}, 60_000);
beforeEach(async () => {
  page = await (await browser.newContext({ bypassCSP: true })).newPage();
  await page.addInitScript(installClapper);
  await page.goto(`${program.url}/login.html`);
}, 60_000);
afterEach(async () => {
  await page.evaluate(() => window.kept.publisher.close());
  await page.context().close();
});
afterAll(async () => {
  await browser?.close();
  await program?.stop();
});

const claps = (which: 'near' | 'far'): Promise<Claps> =>
  page.evaluate((which) => window.witnesses[which]!.claps, which);

/** Beep after flash of each clap, in milliseconds. */
const offsets = ({ seenAtMs, heardAtMs }: Claps): number[] => seenAtMs.map((atMs, n) => heardAtMs[n]! - atMs);

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Flashes and beeps in the order in which they were received. */
const inOrder = ({ seenAtMs, heardAtMs }: Claps): { what: string; n: number }[] =>
  [
    ...seenAtMs.map((atMs, n) => ({ what: 'flash', n, atMs })),
    ...heardAtMs.map((atMs, n) => ({ what: 'beep', n, atMs })),
  ]
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ what, n }) => ({ what, n }));

test.each(CODECS)(
  'a viewer of a swapped stream sees and hears every clap of a clapperboard (%s)',
  async (codec) => {
    const stream = codec === null ? 'clapper' : 'clapper-h264';
    const cut = sharp(group).extract({ left: 1400, top: 130, width: 460, height: 345 }).resize(320, 240);
    const picture = `data:image/jpeg;base64,${(await cut.jpeg().toBuffer()).toString('base64')}`;
    await page.evaluate(
      async ({ picture, codec, name }) => {
        const only = RTCRtpReceiver.getCapabilities('video')!.codecs.filter(({ mimeType }) => mimeType === codec);
        const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
        const offered = async (peer: RTCPeerConnection): Promise<string> => {
          await peer.setLocalDescription(await peer.createOffer());
          while (peer.iceGatheringState !== 'complete') await wait(20);
          return peer.localDescription!.sdp;
        };
        const agree = async (peer: RTCPeerConnection, at: string): Promise<void> => {
          const headers = { 'content-type': 'application/sdp' };
          const answer = await fetch(at, { method: 'POST', headers, body: await offered(peer) });
          await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
        };
        const stream = await window.clapper(picture);
        const publisher = new RTCPeerConnection();
        for (const track of stream.getTracks()) {
          const transceiver = publisher.addTransceiver(track, {
            direction: track.kind === 'video' ? 'sendrecv' : 'sendonly',
            streams: [stream],
          });
          if (track.kind === 'video' && codec !== null) transceiver.setCodecPreferences(only);
        }
        await agree(publisher, `/whip?face=astronaut&stream=${name}`);
        const viewer = new RTCPeerConnection();
        const received = new MediaStream();
        viewer.ontrack = ({ track }) => received.addTrack(track);
        for (const kind of ['video', 'audio']) {
          const transceiver = viewer.addTransceiver(kind, { direction: 'recvonly' });
          if (kind === 'video' && codec !== null) transceiver.setCodecPreferences(only);
        }
        await agree(viewer, `/whep/${name}`);
        window.witnesses = { near: window.witness(stream), far: window.witness(received) };
        window.kept = { publisher, viewer };
      },
      { picture, codec, name: stream },
    );

    // The claps begin once picture and sound flow, so that neither witness can miss the first one.
    const flowing = (): Promise<boolean> =>
      page.evaluate(async () => {
        let samples = 0;
        for (const report of (await window.kept.viewer.getStats()).values())
          if (report.type === 'inbound-rtp' && report.kind === 'audio') samples = report.totalSamplesReceived ?? 0;
        return samples > 48_000 && window.witnesses.far.frames > 20 && window.witnesses.near.frames > 20;
      });
    await until(flowing, 'picture and sound to be received', 60_000);
    await page.evaluate((times) => window.clap(times), CLAPS);
    const isComplete = async (): Promise<boolean> => {
      const { seenAtMs, heardAtMs } = await claps('far');
      return Math.min(seenAtMs.length, heardAtMs.length) >= CLAPS;
    };
    // What is missing after the wait is told by the counts below.
    await until(isComplete, 'all claps to be received').catch(() => undefined);

    const near = await claps('near');
    const far = await claps('far');
    const sessions = (await (await fetch(`${program.url}/api/sessions`)).json()) as {
      stream: string;
      frameMs: { p50: number };
    }[];
    const session = sessions.find((one) => one.stream === stream);
    const shown = (which: Claps): string => {
      const values = offsets(which);
      return `${Math.round(median(values.slice(-SETTLED)))} ms (${values.map((ms) => Math.round(ms)).join(', ')})`;
    };
    console.log(
      `${codec ?? 'VP8'}: sound after picture: ${shown(far)}; before they were sent ${shown(near)}; a frame took ${session!.frameMs.p50} ms`,
    );
    for (const which of [near, far]) {
      expect([which.seenAtMs.length, which.heardAtMs.length]).toEqual([CLAPS, CLAPS]);
      // Flash and beep of a clap are both received before any of the next clap.
      expect(inOrder(which).map(({ n }) => n)).toEqual(Array.from({ length: 2 * CLAPS }, (_, i) => i >> 1));
    }
  },
  180_000,
);
