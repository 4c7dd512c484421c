/**
 * Added glass-to-glass latency: a page in a real browser draws the time into the picture that it sends and reads it off
 * the picture that it gets back, through the swap and through a bare echo alternately. So the browser, both codecs and
 * both jitter buffers are in both figures. The server's processor time is measured meanwhile.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { root } from '../../../src/lib/package-root.ts';
import { launchBrowser } from '../../../test/support/browser.ts';
import { ratio, type Spread, spread } from '../bench-machine.ts';
import { LiveServer, type Mode, pause } from './live-run.ts';

const ROUNDS = 3;
/** Bandwidth estimates and jitter buffers settle in this time. */
const WARM_UP_MS = 6000;
const MEASURED_MS = 10_000;

/** Delays in milliseconds; cores of the server, 1 is one core busy all the time. */
export interface GlassFigures {
  swapMs: Spread;
  echoMs: Spread;
  /** Percentiles of the swap less those of the echo. */
  addedMs: { p50: number; p95: number };
  cores: { swap: number; echo: number; ratio: number };
}

/** Takes about two minutes. Needs Chromium. */
export async function benchGlass(): Promise<GlassFigures> {
  const face = (await sharp(path.join(root, 'models/portraits/astronaut.webp')).png().toBuffer()).toString('base64');
  const script = readFileSync(path.join(root, 'dist/bench/bench-page.js'), 'utf8');
  const browser = await launchBrowser();
  const delays: Record<Mode, number[]> = { swap: [], echo: [] };
  const cores: Record<Mode, number[]> = { swap: [], echo: [] };
  const servers = { swap: await LiveServer.start('swap'), echo: await LiveServer.start('echo') };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const mode of ['swap', 'echo'] as const) {
        const page = await browser.newPage({ viewport: { width: 800, height: 600 } });
        await page.goto(`${servers[mode].url}/healthz`);
        await page.evaluate(script);
        const query = mode === 'swap' ? '?face=astronaut' : '';
        const call = `measureDelay(${JSON.stringify(face)}, ${JSON.stringify(query)}, ${WARM_UP_MS}, ${MEASURED_MS})`;
        const measured = page.evaluate(call) as Promise<number[]>;
        await pause(WARM_UP_MS);
        cores[mode].push(await servers[mode].cores(MEASURED_MS - 1000));
        delays[mode].push(...(await measured));
        await page.close();
      }
    }
  } finally {
    await browser.close();
    for (const server of Object.values(servers)) server.stop();
  }
  return figuresOf(delays, cores);
}

function figuresOf(delays: Record<Mode, number[]>, cores: Record<Mode, number[]>): GlassFigures {
  const [swapMs, echoMs] = [spread(delays.swap), spread(delays.echo)];
  const mean = (values: number[]): number =>
    Math.round((1000 * values.reduce((a, b) => a + b, 0)) / values.length) / 1000;
  const [swap, echo] = [mean(cores.swap), mean(cores.echo)];
  return {
    swapMs,
    echoMs,
    addedMs: { p50: swapMs.p50 - echoMs.p50, p95: swapMs.p95 - echoMs.p95 },
    cores: { swap, echo, ratio: ratio(swap, echo) },
  };
}
