/** What viewers cost the server: ten in H.264, which share an encoder, and three in VP8, which have one each. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { H264Libraries } from '../../src/server/h264/h264-packages.ts';
import { cacheWithH264, encodeH264, h264Libraries, whyNoH264 } from '../support/h264.ts';
import { H264Watcher } from '../support/h264-viewer.ts';
import { Obs } from '../support/obs.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { Watcher } from '../support/viewer.ts';

const why = whyNoH264();
const SECONDS = 10;

describe.skipIf(why !== null)(`viewers of a stream${why === null ? '' : ` (skipped: ${why})`}`, () => {
  const cacheDir = cacheWithH264();
  let libraries: H264Libraries;
  let program: Program;
  let obs: Obs;

  beforeAll(async () => {
    libraries = await h264Libraries();
    program = await startProgram(['--set', 'swap.engine=none', '--set', `models.cacheDir=${cacheDir}`]);
    obs = new Obs(libraries);
    expect((await obs.whip(program.url, '?stream=show')).status).toBe(201);
    const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=30,noise=alls=8:allf=t', '-t', '4'];
    obs.play(await encodeH264(picture, ['-g', '30', '-b:v', '2500k', '-pix_fmt', 'yuv420p']), 30);
  }, 120_000);
  afterAll(async () => {
    obs?.close();
    await program?.stop();
  });

  /** Share of a core that the server uses. */
  async function cores(): Promise<number> {
    const ticks = (): number => {
      const fields = readFileSync(`/proc/${program.child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
      return Number(fields[11]) + Number(fields[12]);
    };
    const [before, beganMs] = [ticks(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS));
    // A tick is 10 ms.
    return (10 * (ticks() - before)) / (performance.now() - beganMs);
  }

  test('cost less in H.264 by ten than in VP8 by three', async () => {
    const ask = async (viewers: (Watcher | H264Watcher)[]): Promise<void> => {
      for (const viewer of viewers) expect((await viewer.whep(program.url, 'show')).status).toBe(201);
    };
    const leave = async (viewers: (Watcher | H264Watcher)[]): Promise<void> => {
      for (const viewer of viewers) {
        await fetch(viewer.location, { method: 'DELETE' });
        viewer.close();
      }
    };
    const costs: Record<string, number[]> = { none: [], h264: [], vp8: [] };
    // Alternately, because other programs disturb.
    for (let round = 0; round < 2; round++) {
      costs.none!.push(await cores());
      const ten = Array.from({ length: 10 }, () => new H264Watcher(libraries, { keepsUnits: false }));
      await ask(ten);
      await until(() => ten.every(({ units }) => units.length > 30), 'pictures at all ten', 30_000);
      const before = ten.map(({ units }) => units.length);
      costs.h264!.push(await cores());
      console.log(
        `H.264 viewers got ${ten.map(({ units }, i) => ((units.length - before[i]!) / SECONDS).toFixed(0)).join(' ')} pictures a second`,
      );
      await leave(ten);
      const three = Array.from({ length: 3 }, () => new Watcher());
      await ask(three);
      await until(() => three.every(({ received }) => received > 30), 'pictures at all three', 30_000);
      const seen = three.map(({ received }) => received);
      costs.vp8!.push(await cores());
      console.log(
        `VP8 viewers got ${three.map(({ received }, i) => ((received - seen[i]!) / SECONDS).toFixed(0)).join(' ')} pictures a second of ${three[0]!.size}`,
      );
      await leave(three);
    }
    console.log(`share of a core: ${JSON.stringify(costs)}`);
    const mean = (name: string): number => costs[name]!.reduce((sum, one) => sum + one, 0) / costs[name]!.length;
    expect(mean('h264') - mean('none')).toBeLessThan(mean('vp8') - mean('none'));
  }, 300_000);
});
