/** The content check in the program that people start: a publisher whose pictures trip it, and one without its model. */

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, expect, test } from 'vitest';
import { rgbToFrame } from '../../../../src/faces/portrait.ts';
import { root } from '../../../../src/lib/package-root.ts';
import type { SessionStats } from '../../../../src/shared/messages.ts';
import { modelsDir } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { type Program, startProgram, until } from '../../../support/server.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-content-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const [width, height] = [640, 480];

/** The visible mark is no tile of a mosaic. */
const UNMARKED = ['--set', 'disclosure.badge=false', '--set', 'disclosure.acknowledged=true'];

/** See content-check.test.ts. */
async function composed(): Promise<Uint8Array> {
  const { data } = await sharp(path.join(root, 'test/fixtures/content-positive.png'))
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return rgbToFrame(data, width, height, 3).data;
}

const plain = (): Uint8Array => rgbToFrame(new Uint8Array(width * height * 3).fill(90), width, height, 3).data;

async function statsOf({ url }: Program): Promise<SessionStats | undefined> {
  return ((await (await fetch(`${url}/api/sessions`)).json()) as SessionStats[])[0];
}

const causeOf = async (program: Program): Promise<string | undefined> => (await statsOf(program))?.verdict.cause;

/** Has a session never show a real face. */
async function guard({ url }: Program, session: string): Promise<void> {
  const answer = await fetch(`${url}/api/sessions/${session}/settings`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ guarded: true }),
  });
  expect(answer.status).toBe(200);
}

/** Whether the whole picture is made of tiles: neighbours in a tile of 20 pixels are alike, coding aside. */
function isMosaic(picture: Uint8Array): boolean {
  let most = 0;
  for (let y = 24; y < height - 40; y += 20)
    for (let x = 24; x < width - 40; x += 20)
      most = Math.max(most, Math.abs(picture[y * width + x]! - picture[(y + 10) * width + x + 10]!));
  return most <= 6;
}

test('a stream that trips it is a mosaic with a reason, counted and logged, until it does not any more', async () => {
  const program = await startProgram(UNMARKED);
  const publisher = new Publisher();
  try {
    let shown: 'composed' | 'plain' = 'composed';
    const pictures = [await composed(), plain()];
    publisher.play({ width, height }, pictures, 10, () => (shown === 'composed' ? 0 : 1));
    expect((await publisher.whip(program.url)).status).toBe(201);
    await until(async () => (await causeOf(program)) === 'content', 'the picture to be hidden', 60_000);
    expect((await statsOf(program))?.verdict.text).toMatch(/hidden, because the content check/);
    expect(isMosaic(pictures[0]!)).toBe(false);
    await until(() => isMosaic(publisher.picture), 'a mosaic', 20_000);
    const metrics = await (await fetch(`${program.url}/metrics`)).text();
    expect(metrics).toMatch(/^faceoff_content_blocked_total 1$/m);
    expect(program.said()).toMatch(/"session":"[0-9a-f-]{36}".*the content check hides the picture"/);
    shown = 'plain';
    await until(async () => (await causeOf(program)) !== 'content', 'the picture to be shown again', 60_000);
  } finally {
    publisher.close();
    await program.stop();
  }
}, 180_000);

test('without its model guarded streams are hidden, others are not, and the log says so', async () => {
  cpSync(modelsDir, folder, { recursive: true });
  rmSync(path.join(folder, 'content-check.onnx'));
  const program = await startProgram([...UNMARKED, '--set', `models.dir=${folder}`]);
  const publisher = new Publisher();
  try {
    expect(program.said()).toMatch(/content-check\.onnx cannot be read.*guarded streams are hidden, others go on/s);
    publisher.play({ width, height }, [await composed()], 10);
    const session = (await publisher.whip(program.url)).headers.get('location')!.split('/').at(-1)!;
    await until(() => publisher.received.length > 30, 'pictures', 60_000);
    expect(await causeOf(program)).not.toBe('content');
    await guard(program, session);
    await until(async () => (await causeOf(program)) === 'content', 'the guarded picture to be hidden', 20_000);
    expect((await statsOf(program))?.verdict.text).toMatch(/does not work/);
    await until(() => isMosaic(publisher.picture), 'a mosaic', 20_000);
  } finally {
    publisher.close();
    await program.stop();
  }
}, 180_000);

test('a check that hangs hides guarded streams until it works again, and is counted', async () => {
  const program = await startProgram();
  const publisher = new Publisher();
  try {
    publisher.play({ width, height }, [plain()], 10);
    const session = (await publisher.whip(program.url)).headers.get('location')!.split('/').at(-1)!;
    await until(() => publisher.received.length > 30, 'pictures', 60_000);
    await guard(program, session);
    const children = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(program.child.pid)], {
      encoding: 'utf8',
    });
    process.kill(Number(/^ *(\d+).*pipeline\/content\.js/m.exec(children)![1]), 'SIGSTOP');
    await until(async () => (await causeOf(program)) === 'content', 'the picture to be hidden', 30_000);
    await until(async () => (await causeOf(program)) !== 'content', 'the picture to be shown again', 60_000);
    expect(program.said()).toMatch(/its process did not answer for 5 seconds and was killed/);
    const metrics = await (await fetch(`${program.url}/metrics`)).text();
    expect(metrics).toMatch(/^faceoff_content_check_lost_total 1$/m);
  } finally {
    publisher.close();
    await program.stop();
  }
}, 180_000);
