/** Sound and picture of a person in a call, as another browser receives them: a clapperboard flashes and beeps. */

import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { group } from '../support/lane.ts';
import { type Program, startProgram } from '../support/server.ts';
import { installClapper } from './clapper.ts';

/** How far sound and picture may be apart. */
const MOST_MS = 40;
/** Buffers find their length in the first seconds; on a busy machine it takes them longer. */
const PATIENCE_MS = 60_000;
const CLAPS = 9;

let program: Program;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  program = await startProgram();
  browser = await launchBrowser(undefined, ['--autoplay-policy=no-user-gesture-required']);
  page = await (await browser.newContext({ bypassCSP: true })).newPage();
  await page.addInitScript(installClapper);
  await page.goto(`${program.url}/login.html`);
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
});

/** Beep after flash, in milliseconds, of each clap. */
const offsets = (which: 'near' | 'far'): Promise<number[]> =>
  page.evaluate(
    (which) => window.witnesses[which]!.claps.map(({ heardAtMs, seenAtMs }) => heardAtMs - seenAtMs),
    which,
  );

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

test('are in step, though the picture was swapped', async () => {
  const cut = sharp(group).extract({ left: 1400, top: 130, width: 460, height: 345 }).resize(320, 240);
  const picture = `data:image/jpeg;base64,${(await cut.jpeg().toBuffer()).toString('base64')}`;
  await page.evaluate(async (picture) => {
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
    for (const track of stream.getTracks())
      publisher.addTransceiver(track, {
        direction: track.kind === 'video' ? 'sendrecv' : 'sendonly',
        streams: [stream],
      });
    await agree(publisher, '/whip?face=astronaut&stream=clapper');
    await wait(1000);
    const viewer = new RTCPeerConnection();
    const received = new MediaStream();
    viewer.ontrack = ({ track }) => received.addTrack(track);
    for (const kind of ['video', 'audio']) viewer.addTransceiver(kind, { direction: 'recvonly' });
    await agree(viewer, '/whep/clapper');
    window.witnesses = { near: window.witness(stream), far: window.witness(received) };
    window.kept = [publisher, viewer];
  }, picture);

  const endMs = performance.now() + PATIENCE_MS;
  let far: number[] = [];
  do {
    await page.waitForTimeout(1000);
    far = (await offsets('far')).slice(-CLAPS);
  } while (performance.now() < endMs && !(far.length === CLAPS && Math.abs(median(far)) < MOST_MS));
  const near = (await offsets('near')).slice(-CLAPS);
  const [session] = (await (await fetch(`${program.url}/api/sessions`)).json()) as { frameMs: { p50: number } }[];
  const shown = (values: number[]): string => values.map((ms) => Math.round(ms)).join(', ');
  console.log(
    `sound after picture: ${Math.round(median(far))} ms (${shown(far)}); before they were sent ${Math.round(median(near))} ms (${shown(near)}); a frame took ${session!.frameMs.p50} ms`,
  );
  expect(far.length).toBe(CLAPS);
  expect(Math.abs(median(near))).toBeLessThan(MOST_MS / 2);
  expect(Math.abs(median(far))).toBeLessThan(MOST_MS);
}, 120_000);
