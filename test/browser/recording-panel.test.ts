/** Recordings of the program people start: the swapped face in the file, the studio's buttons, and both killed in the middle. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { distance } from '../../src/pipeline/face/embed.ts';
import type { RecordingInfo, RecordingState } from '../../src/shared/messages.ts';
import type { Frame } from '../../src/shared/types.ts';
import { launchBrowser } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { astronaut, cutFrame, group, readFrame } from '../support/lane.ts';
import { Publisher } from '../support/publisher.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { complaints, pictureAt, probe } from '../support/video.ts';
import { openWho } from '../support/who.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-recordings-'));
const settings = ['--set', `recording.dir=${dir}`, '--set', 'recording.minFreeMb=0'];
// However busy the machine is, faces are swapped.
settings.push('--set', 'pipeline.budgetMs=1000');
let program: Program;
let browser: Browser;
let camera: Frame;
let clip: string;

beforeAll(async () => {
  camera = await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480);
  clip = writeClip(camera, 30);
  program = await startProgram(settings);
  browser = await launchBrowser(clip);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await program?.stop();
  for (const folder of [dir, path.dirname(clip)]) rmSync(folder, { recursive: true, force: true });
});

/** Waits until so many pictures are recorded. @returns what the server then says of the recording. */
async function recordFrames(api: string, count: number): Promise<RecordingState> {
  let state!: RecordingState;
  await until(
    async () => {
      state = (await (await fetch(api)).json()) as RecordingState;
      return state.frames >= count;
    },
    `${count} pictures to be recorded`,
    30_000,
  );
  return state;
}
/** Restarts need no face. */
const faceless = [...settings, '--set', 'swap.engine=none'];
const list = async (): Promise<RecordingInfo[]> =>
  (await (await fetch(`${program.url}/api/recordings`)).json()) as RecordingInfo[];

describe('in the studio', () => {
  test('the record button records the swapped picture, and the snapshot button saves one', async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1100 } });
    await page.goto(program.url);
    await page.waitForSelector('[data-face-id="astronaut"]');
    expect(await page.isDisabled('#record')).toBe(true);
    await page.click('#start');
    await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
    await page.waitForSelector('#record:enabled');
    // The first pictures are coarse until the encoder has found its rate.
    await page.waitForTimeout(1000);
    await page.click('#record');
    await page.waitForFunction(() => /^Stop 0:0[2-9]$/.test(document.querySelector('#record-label')!.textContent!));
    const [snapshot] = await Promise.all([page.waitForEvent('download'), page.click('#snapshot')]);
    expect(snapshot.suggestedFilename()).toMatch(/^faceoff-.*\.png$/);
    await page.click('#record');
    await page.waitForSelector('#record-files a');
    expect(await page.textContent('#record-label')).toBe('Record');
    expect(await page.textContent('#record-note')).toContain(dir);

    const [recording] = await list();
    const video = path.join(dir, recording!.file);
    const { width, height, timesMs } = probe(video);
    expect([width, height]).toEqual([640, 480]);
    const who = await openWho();
    const [source] = await who.embeddings(await readFrame(astronaut));
    const [own] = await who.embeddings(camera);
    const still = await snapshot.path();
    for (const shown of [pictureAt(video, { width, height }, timesMs.at(-1)! - 500), await readFrame(still)]) {
      const [face] = await who.embeddings(shown);
      expect(distance(face!, source!)).toBeLessThan(distance(face!, own!));
    }
    await page.close();
  }, 60_000);
});

test('a recording whose server and ffmpeg were killed plays up to the last seconds and is kept at the next start', async () => {
  const publisher = new Publisher();
  publisher.play({ width: 640, height: 480 }, [camera.data], 20);
  expect((await publisher.whip(program.url, '?stream=killed')).status).toBe(201);
  await until(() => publisher.received.length > 0, 'pictures to come back');
  const api = `${program.url}/api/sessions/${publisher.location.split('/').at(-1)}/recording`;
  expect((await fetch(api, { method: 'POST' })).status).toBe(201);
  const state = await recordFrames(api, 100);
  const children = execFileSync('ps', ['-o', 'pid=,comm=', '--ppid', String(program.child.pid)], { encoding: 'utf8' });
  const ffmpeg = Number(children.match(/(\d+) ffmpeg/)![1]);
  program.child.kill('SIGKILL');
  process.kill(ffmpeg, 'SIGKILL');
  publisher.close();
  const [part] = readdirSync(dir).filter((name) => name.startsWith('.part-'));
  expect(statSync(path.join(dir, part!)).size).toBeGreaterThan(10_000);

  program = await startProgram(faceless);
  expect(readdirSync(dir).filter((name) => name.startsWith('.part-'))).toEqual([]);
  const kept = (await list()).find(({ file }) => file.includes('killed'))!;
  const { timesMs } = probe(path.join(dir, kept.file));
  console.log(`of ${state.lastedMs} ms recorded, ${Math.round(timesMs.at(-1)! - timesMs[0]!)} ms play`);
  // At 20 pictures a second, the last seconds may be missing.
  expect(state.frames - timesMs.length).toBeLessThan(70);
  expect(complaints(path.join(dir, kept.file))).not.toMatch(/error/i);
  const page = await browser.newPage();
  await page.goto(program.url);
  const playedMs = await page.evaluate(async (source) => {
    const video = Object.assign(document.createElement('video'), { src: source, muted: true });
    document.body.replaceChildren(video);
    await video.play();
    await new Promise((resolve) => video.addEventListener('ended', resolve));
    return 1000 * video.currentTime;
  }, kept.url);
  // The browser plays what is in the file to its end.
  expect(playedMs).toBeGreaterThanOrEqual(timesMs.at(-1)! - 500);
  await page.close();
}, 60_000);

test('a recording whose server was killed is finished by ffmpeg', async () => {
  const publisher = new Publisher();
  publisher.play({ width: 640, height: 480 }, [camera.data], 20);
  expect((await publisher.whip(program.url, '?stream=orphan')).status).toBe(201);
  await until(() => publisher.received.length > 0, 'pictures to come back');
  const api = `${program.url}/api/sessions/${publisher.location.split('/').at(-1)}/recording`;
  expect((await fetch(api, { method: 'POST' })).status).toBe(201);
  await recordFrames(api, 20);
  const children = execFileSync('ps', ['-o', 'pid=,comm=', '--ppid', String(program.child.pid)], { encoding: 'utf8' });
  const ffmpeg = Number(children.match(/(\d+) ffmpeg/)![1]);
  program.child.kill('SIGKILL');
  publisher.close();
  await until(() => {
    try {
      return !process.kill(ffmpeg, 0);
    } catch {
      return true;
    }
  }, 'ffmpeg to be gone');
  program = await startProgram(faceless);
  const kept = (await list()).find(({ file }) => file.includes('orphan'))!;
  expect(complaints(path.join(dir, kept.file))).toBe('');
}, 60_000);

test('a server that is told to stop finishes the recording first', async () => {
  const publisher = new Publisher();
  publisher.play({ width: 640, height: 480 }, [camera.data], 20);
  expect((await publisher.whip(program.url, '?stream=stopped')).status).toBe(201);
  await until(() => publisher.received.length > 0, 'pictures to come back');
  const api = `${program.url}/api/sessions/${publisher.location.split('/').at(-1)}/recording`;
  expect((await fetch(api, { method: 'POST' })).status).toBe(201);
  await recordFrames(api, 20);
  await program.stop();
  publisher.close();
  const [file, ...others] = readdirSync(dir).filter((name) => name.includes('stopped'));
  expect(others).toEqual([]);
  expect(file).toMatch(/^\d/);
  expect(complaints(path.join(dir, file!))).toBe('');
  program = await startProgram(faceless);
}, 60_000);
