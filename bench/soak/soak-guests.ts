/**
 * Publishers and viewers of a soak, in a process of their own: `soak-guests.js URL resident` publishes until its parent
 * is gone; `soak-guests.js URL N` is round N, which ends by itself and then tells what it did.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import WebSocket from 'ws';
import { rgbToFrame } from '../../src/faces/portrait.ts';
import { root } from '../../src/lib/package-root.ts';
import type { RecordingInfo } from '../../src/shared/messages.ts';
import { Publisher } from '../../test/support/publisher.ts';
import { Watcher } from '../../test/support/viewer.ts';
import { pause } from '../speed/live/live-run.ts';

/** What a round did. Everything that the server refused ends the round instead. */
export interface RoundFigures {
  sessions: number;
  viewers: number;
  recordings: number;
  /** Pictures that came back to the publishers. */
  pictures: number;
}

const [WIDTH, HEIGHT, FPS, SCENES] = [320, 240, 15, 12];
/** A guest comes every few seconds, so that two are there at once. */
const [GUESTS, EVERY_MS, STAY_MS] = [4, 4000, 7000];
const portrait = path.join(root, 'models/portraits/astronaut.webp');

const [url = '', role = ''] = process.argv.slice(2);
const done: RoundFigures = { sessions: 0, viewers: 0, recordings: 0, pictures: 0 };

async function scenes(): Promise<Uint8Array[]> {
  const face = await sharp(portrait).resize(220, 220).toBuffer();
  return Promise.all(
    Array.from({ length: SCENES }, async (_, i) => {
      const left = Math.round(50 + 6 * Math.sin((2 * Math.PI * i) / SCENES));
      const { data } = await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#889' } })
        .composite([{ input: face, left, top: 15 }])
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      return rgbToFrame(data, WIDTH, HEIGHT, 3).data;
    }),
  );
}

/** A request that has to succeed. @throws Error with the server's sentence where it does not. */
async function ask(method: string, at: string, body?: string | FormData): Promise<Response> {
  const answer = await fetch(at, { method, ...(body === undefined ? {} : { body }) });
  if (!answer.ok) throw new Error(`${method} ${new URL(at).pathname}: ${answer.status} ${await answer.text()}`);
  return answer;
}

async function publish(pictures: readonly Uint8Array[], stream: string, hums: boolean): Promise<Publisher> {
  const camera = new Publisher();
  if (hums) camera.hum();
  camera.play({ width: WIDTH, height: HEIGHT }, pictures, FPS);
  const { status } = await camera.whip(url, `?face=astronaut&stream=${stream}`);
  if (status !== 201) throw new Error(`a publisher was answered ${status}`);
  done.sessions++;
  return camera;
}

async function watch(stream: string): Promise<Watcher> {
  const viewer = new Watcher();
  const { status } = await viewer.whep(url, stream);
  if (status !== 201) throw new Error(`a viewer was answered ${status}`);
  done.viewers++;
  return viewer;
}

/** Guest `n` of round `round`: comes, is watched and recorded as its numbers say, and leaves, not always with a word. */
async function visit(pictures: readonly Uint8Array[], round: number, n: number): Promise<void> {
  const stream = `guest-${round}-${n}`;
  const leavesUntold = (round + n) % 3 === 0;
  const camera = await publish(pictures, stream, n % 2 === 1);
  const session = `${url}/api/sessions/${camera.location.split('/').at(-1)}`;
  const viewers = await Promise.all(Array.from({ length: n % 3 }, () => watch(stream)));
  const isRecorded = n % 2 === 0;
  if (isRecorded) await ask('POST', `${session}/recording?format=${round % 2 === 0 ? 'webm' : 'mp4'}`);
  await pause(STAY_MS / 2);
  await ask('PATCH', `${session}/settings`, JSON.stringify({ strength: 0.9, keepEyes: true }));
  if (camera.received.length > 0) await ask('GET', `${session}/snapshot.png`);
  await pause(STAY_MS / 2);
  done.pictures += camera.received.length;
  if (isRecorded) done.recordings++;
  // A recording whose session ends is finished by that.
  if (isRecorded && !leavesUntold) await ask('DELETE', `${session}/recording`);
  for (const viewer of viewers) {
    if (!leavesUntold) await ask('DELETE', viewer.location);
    viewer.close();
  }
  if (!leavesUntold) await ask('DELETE', camera.location);
  camera.close();
}

/** A face that is added and taken away, a page's connection that opens and closes, and what pages ask for. */
async function useTheRest(): Promise<void> {
  const form = new FormData();
  form.set('name', 'Guest');
  form.set('consent', 'true');
  form.set('file', new Blob([readFileSync(portrait)]), 'guest.webp');
  const { id } = (await (await ask('POST', `${url}/api/faces`, form)).json()) as { id: string };
  await ask('GET', `${url}/api/faces/${id}/thumbnail`);
  await ask('DELETE', `${url}/api/faces/${id}`);
  for (const page of ['/', '/api/status', '/api/sessions']) await (await ask('GET', url + page)).arrayBuffer();
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.close();
}

async function removeRecordings(): Promise<void> {
  const finished = (await (await ask('GET', `${url}/api/recordings`)).json()) as RecordingInfo[];
  for (const recording of finished) await ask('DELETE', url + recording.url);
}

const pictures = await scenes();
if (role === 'resident') {
  await publish(pictures, 'resident', true);
  process.once('disconnect', () => process.exit(0));
  process.send?.({ ready: true });
} else {
  const round = Number(role);
  const visits = Array.from({ length: GUESTS }, async (_, n) => {
    await pause(n * EVERY_MS);
    await visit(pictures, round, n);
  });
  await Promise.all([...visits, useTheRest()]);
  await removeRecordings();
  await new Promise<void>((resolve) => process.send?.(done, () => resolve()));
  process.exit(0);
}
