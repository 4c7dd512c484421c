/** One call of the steady bench, with a fresh server and a fresh browser, and the figures of both. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { root } from '../../../src/lib/package-root.ts';
import { launchBrowser } from '../../../test/support/browser.ts';
import {
  busyS,
  coresByPart,
  cpuOf,
  familyOf,
  hasProc,
  type ServerPart,
  type Thread,
  threadsOf,
} from '../thread-time.ts';
import type { TracedFrame } from './bench-server.ts';
import { type Condition, startCondition } from './conditions.ts';
import { LiveServer, type Mode, pause } from './live-run.ts';
import { codeAfter, WRAP } from './timecode.ts';
import type { BenchCamera, Counted, Shown, Watched } from './watched-page.ts';

/** What a call is made with. */
export interface RunRequest extends BenchCamera {
  mode: Mode;
  condition: Condition;
  seconds: number;
  /** A y4m that plays as the camera; undefined for the portrait in motion. */
  clip: string | undefined;
}

/** One call as the page, the server and the system saw it. */
export interface RunFigures extends SeenFigures, ServerSide {
  mode: Mode;
  /** Cores in use by the server, its parts, the browser, and all else on the machine; null without /proc. */
  cores: ({ server: number; browser: number; elsewhere: number } & Record<ServerPart, number>) | null;
  counted: Counted;
  /** How each frame fared in the lane; empty for an echo. */
  trace: TracedFrame[];
}

interface SeenFigures {
  /** Pictures a second, from the first picture to the end. */
  fps: number;
  /** From Start to the first picture. */
  firstMs: number;
  firstSwappedMs: number | null;
  longestGapMs: number;
  /** Gaps longer than three times the mean and than the mean plus 150 ms, as W3C's freezeCount counts. */
  freezes: number;
  gapP50Ms: number;
  gapP95Ms: number;
  delayP50Ms: number;
  delayP95Ms: number;
}

interface ServerSide {
  swapped: number;
  passed: number;
  dropped: number;
  failed: number;
  /** Swapped pictures among those that went out. */
  swappedShare: number;
  /** Changes of the quality plan, all of them and those after the first five seconds. */
  planChanges: number;
  lateChanges: number;
  /** Share of the samples in which each plan was in force. */
  plans: Record<string, number>;
  /** Frame age, p95 over three seconds: the median and the worst of all samples after the first five seconds. */
  ageP95Ms: number;
  worstAgeP95Ms: number;
}

interface Sample {
  atMs: number;
  plan: string;
  ageP95Ms: number;
  counts: Pick<ServerSide, 'swapped' | 'passed' | 'dropped' | 'failed'>;
}

const SAMPLE_MS = 250;
const SETTLED_MS = 5000;

/** Runs one call of so many seconds. @throws Error where no picture was ever shown. */
export async function runCall(request: RunRequest): Promise<RunFigures> {
  const condition = startCondition(request.condition);
  let server: LiveServer | null = null;
  let browser: Browser | null = null;
  try {
    const others = new Set(familyOf(process.pid));
    server = await LiveServer.start(request.mode);
    browser = await launchBrowser(request.clip);
    const page = await browser.newPage({ viewport: { width: 800, height: 600 } });
    await page.goto(`${server.url}/healthz`);
    await page.evaluate(readFileSync(path.join(root, 'dist/bench/steady-page.js'), 'utf8'));
    const ofServer = new Set(familyOf(server.pid));
    const browsers = familyOf(process.pid).filter((pid) => !others.has(pid) && !ofServer.has(pid));
    for (const pid of [...ofServer, ...browsers]) condition.include(pid);
    const { face, width, height } = request;
    await page.evaluate(`openCamera(${JSON.stringify({ face, width, height } satisfies BenchCamera)})`);
    const query = request.mode === 'swap' ? '?face=astronaut' : '';
    const meter = hasProc() ? new Meter(server.pid, browsers, request.mode) : null;
    const sampler = new SessionSampler(server);
    const watched = (await page.evaluate(`call('${query}', ${1000 * request.seconds})`)) as Watched;
    const cores = meter?.read() ?? null;
    const { firstSwapped, traces } = await server.figures();
    return {
      mode: request.mode,
      ...seenOf(watched, firstSwapped),
      ...sampler.end(),
      cores,
      counted: round(watched.counted),
      trace: traces[0] ?? [],
    };
  } finally {
    await browser?.close();
    server?.stop();
    await condition.end();
  }
}

/** Processor time since the meter was made. */
class Meter {
  readonly #server: number;
  readonly #browsers: number[];
  readonly #swaps: boolean;
  readonly #before: { atMs: number; threads: Thread[]; browserS: number; busyS: number };

  constructor(server: number, browsers: number[], mode: Mode) {
    this.#server = server;
    this.#browsers = browsers;
    this.#swaps = mode === 'swap';
    this.#before = this.#measure();
  }

  #measure() {
    const [threads, browserS] = [threadsOf(this.#server), cpuOf(this.#browsers)];
    return { atMs: performance.now(), threads, browserS, busyS: busyS() };
  }

  /** Cores in use since then, rounded to thousandths. */
  read(): NonNullable<RunFigures['cores']> {
    const [before, now] = [this.#before, this.#measure()];
    const forS = (now.atMs - before.atMs) / 1000;
    const parts = coresByPart({
      pid: this.#server,
      before: before.threads,
      after: now.threads,
      forS,
      swaps: this.#swaps,
    });
    const server = sum(Object.values(parts));
    const browser = (now.browserS - before.browserS) / forS;
    const elsewhere = (now.busyS - before.busyS) / forS - server - browser;
    return mapped({ server, browser, elsewhere, ...parts }, (cores) => rounded(cores, 1000));
  }
}

/** Samples the statistics of the server's session until it is ended. */
class SessionSampler {
  readonly #samples: Sample[] = [];
  readonly #beganMs = performance.now();
  #isOver = false;

  constructor(server: LiveServer) {
    void this.#sample(server);
  }

  async #sample(server: LiveServer): Promise<void> {
    while (!this.#isOver) {
      await pause(SAMPLE_MS);
      const [stats] = await server.sessions().catch(() => []);
      if (stats === undefined || this.#isOver) continue;
      const { plan, frameMs, swapped, passed, dropped, failed } = stats;
      const atMs = performance.now() - this.#beganMs;
      this.#samples.push({ atMs, plan, ageP95Ms: frameMs.p95, counts: { swapped, passed, dropped, failed } });
    }
  }

  end(): ServerSide {
    this.#isOver = true;
    const counts = this.#samples.at(-1)?.counts ?? { swapped: 0, passed: 0, dropped: 0, failed: 0 };
    const changes = this.#samples.filter(({ plan }, i) => i > 0 && plan !== this.#samples[i - 1]!.plan);
    const isLate = ({ atMs }: Sample): boolean => atMs > SETTLED_MS;
    const ages = this.#samples.filter(isLate).map(({ ageP95Ms }) => ageP95Ms);
    const plans: Record<string, number> = {};
    for (const { plan } of this.#samples) plans[plan] = (plans[plan] ?? 0) + 1 / this.#samples.length;
    return {
      ...counts,
      swappedShare: rounded(counts.swapped / Math.max(1, counts.swapped + counts.passed + counts.failed), 1000),
      planChanges: changes.length,
      lateChanges: changes.filter(isLate).length,
      plans: mapped(plans, (share) => rounded(share, 1000)),
      ageP95Ms: rounded(quantile(ages, 0.5)),
      worstAgeP95Ms: rounded(quantile(ages, 1)),
    };
  }
}

function seenOf({ shown, endedMs }: Watched, firstSwapped: number | null): SeenFigures {
  const [first, last] = [shown[0], shown.at(-1)];
  if (first === undefined || last === undefined) throw new Error('no picture was ever shown');
  // Pictures that a late callback missed are taken to have come at even times in between.
  const gaps = shown.slice(1).flatMap(({ atMs, count }, i) => {
    const [before, pictures] = [shown[i]!, Math.max(1, count - shown[i]!.count)];
    return Array<number>(pictures).fill((atMs - before.atMs) / pictures);
  });
  const toEnd = endedMs - last.atMs;
  const mean = (last.atMs - first.atMs) / Math.max(1, gaps.length);
  const stuck = Math.max(3 * mean, mean + 150);
  const delays = shown.map(({ delayMs }) => delayMs);
  return {
    fps: rounded((1000 * (1 + last.count - first.count)) / (endedMs - first.atMs)),
    firstMs: Math.round(first.atMs),
    firstSwappedMs: firstSwapped === null ? null : whenShown(shown, firstSwapped),
    longestGapMs: Math.round(Math.max(toEnd, ...gaps)),
    freezes: [...gaps, toEnd].filter((gap) => gap > stuck).length,
    gapP50Ms: rounded(quantile(gaps, 0.5)),
    gapP95Ms: rounded(quantile(gaps, 0.95)),
    delayP50Ms: Math.round(quantile(delays, 0.5)),
    delayP95Ms: Math.round(quantile(delays, 0.95)),
  };
}

/** When the picture with this time code, or a later one, was first shown; null if none was. */
function whenShown(shown: readonly Shown[], code: number): number | null {
  const at = shown.find((one) => codeAfter(one.code, code) < WRAP / 2)?.atMs;
  return at === undefined ? null : Math.round(at);
}

/** The value at a share of the sorted values; 0 where there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** Rounded to so many parts of one: 10 keeps one decimal. */
export const rounded = (value: number, parts = 10): number => Math.round(parts * value) / parts;

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const mapped = <K extends string>(record: Record<K, number>, by: (value: number) => number): Record<K, number> =>
  Object.fromEntries(Object.entries<number>(record).map(([key, value]) => [key, by(value)])) as Record<K, number>;

const round = (counted: Counted): Counted =>
  Object.fromEntries(
    Object.entries(counted).map(([key, value]) => [key, typeof value === 'number' ? rounded(value) : value]),
  ) as unknown as Counted;
