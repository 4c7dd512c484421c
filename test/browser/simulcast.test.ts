/** A page that offers its camera in three sizes, as conference software does. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { type EchoServer, startEcho } from '../support/echo.ts';
import { until } from '../support/server.ts';

let browser: Browser;
let server: EchoServer;
beforeAll(async () => {
  server = await startEcho();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

test('simulcast is answered with its largest layer, which comes in its full size', async () => {
  const page = await browser.newPage();
  await page.goto(`${server.url}/login.html`);
  const layers = await page.evaluate(async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    const peer = new RTCPeerConnection();
    const scales = { q: 4, h: 2, f: 1 };
    const sendEncodings = Object.entries(scales).map(([rid, scaleResolutionDownBy]) => ({
      rid,
      scaleResolutionDownBy,
    }));
    const { sender } = peer.addTransceiver(stream.getVideoTracks()[0]!, { direction: 'sendonly', sendEncodings });
    await peer.setLocalDescription(await peer.createOffer());
    const headers = { 'content-type': 'application/sdp' };
    const answer = await fetch('whip', { method: 'POST', headers, body: peer.localDescription!.sdp });
    await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    Object.assign(window, { peer });
    return sender.getParameters().encodings.map(({ rid, active }) => [rid, active]);
  });
  expect(layers).toEqual([['f', true]]);
  const stats = () => server.sessions.all()[0]?.stats;
  await until(() => (stats()?.passed ?? 0) > 20, 'pictures', 20_000);
  expect(stats()).toMatchObject({ width: 640, height: 480 });
  await page.close();
}, 60_000);
