/**
 * A server in a process of its own, so that its processor time can be told from its clients'. `swap` is the product as
 * it is. `echo` has the same WebRTC and sends every frame back unchanged: the least that any server would cost.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { defaultConfig } from '../../../src/config.ts';
import { FaceLibrary } from '../../../src/faces/face-library.ts';
import { root } from '../../../src/lib/package-root.ts';
import { raise } from '../../../src/lib/priority.ts';
import { Metrics } from '../../../src/metrics.ts';
import { defaultSettings } from '../../../src/pipeline/pool/lane-options.ts';
import { Pool } from '../../../src/pipeline/pool/pool.ts';
import { buildServer } from '../../../src/server/http/app.ts';
import type { SettingsPatch, SwapSettings } from '../../../src/shared/settings.ts';
import type { Swapping } from '../../../src/shared/types.ts';
import { readCode } from './timecode.ts';

/** What the process answers to a message. */
export interface ServerFigures {
  /** Processor time since the process started, in milliseconds. */
  cpuMs: number;
  rssMiB: number;
  /** The time code in the first picture that was swapped; null before. */
  firstSwapped: number | null;
  /** One trace for each session so far, in the order in which they were opened. */
  traces: TracedFrame[][];
}

class Echo implements Swapping {
  openSessions = 0;
  readonly #defaults: SwapSettings;
  constructor(defaults: SwapSettings) {
    this.#defaults = defaults;
  }
  open(id: string) {
    this.openSessions++;
    const done = { result: 'passed', hold: false, faces: [], stagesMs: {}, waitMs: 0, plan: 'echo', level: 0 } as const;
    return {
      id,
      // Without a face, the session does not wait a second for a first swapped picture.
      settings: { ...this.#defaults, face: null },
      swap: async (frame: Parameters<ReturnType<Swapping['open']>['swap']>[0]) => ({ ...done, faces: [], frame }),
      set: () => undefined,
      close: () => void this.openSessions--,
    };
  }
  pressure(): void {}
  async close(): Promise<void> {}
}

/**
 * A frame that went to the lane: when it came, how many were dropped before it, and how long its stages took (null
 * where it was dropped).
 */
export type TracedFrame = [receivedAtMs: number, dropped: number, serviceMs: number | null];

const traces: TracedFrame[][] = [];
let firstSwapped: number | null = null;

/** Passes everything to the pool, and records the first swapped picture and a trace of each session. */
class TracedPool implements Swapping {
  readonly #pool: Swapping;
  constructor(pool: Swapping) {
    this.#pool = pool;
  }
  get openSessions() {
    return this.#pool.openSessions;
  }
  open(id: string, settings: SettingsPatch) {
    const session = this.#pool.open(id, settings);
    const swap = session.swap.bind(session);
    const trace: TracedFrame[] = [];
    traces.push(trace);
    session.swap = async (frame, dropped = 0) => {
      const { receivedAtMs } = frame;
      const done = await swap(frame, dropped);
      const serviceMs = Object.values(done.stagesMs).reduce((sum, ms) => sum + ms, 0);
      trace.push([receivedAtMs, dropped, done.result === 'dropped' ? null : serviceMs]);
      if (firstSwapped === null && done.result === 'swapped') {
        const { width, data } = done.frame;
        firstSwapped = readCode(width, (x, y) => data[y * width + x]! > 128);
      }
      return done;
    };
    return session;
  }
  pressure(pressure: Parameters<Swapping['pressure']>[0]): void {
    this.#pool.pressure(pressure);
  }
  close(): Promise<void> {
    return this.#pool.close();
  }
}

const echo = process.argv[2] === 'echo';
const cacheDir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-bench-'));
const standard = defaultConfig();
const config = {
  ...standard,
  limits: { ...standard.limits, sessions: 1000 },
  models: { ...standard.models, dir: path.join(root, 'models'), cacheDir },
  storage: { dir: path.join(cacheDir, 'data') },
  // Not over the time code, which lies at the top.
  disclosure: { ...standard.disclosure, corner: 'bottom-right' as const },
};
const log = pino({ level: 'silent' });
raise(config.server.priority, log);
const metrics = new Metrics(config.metrics);
const real = await Pool.start(config, log);
const faces = await FaceLibrary.open(config, real, log);
const defaults = defaultSettings(config);
if (defaults.face !== null) await real.preload(defaults.face);
const pool: Swapping = echo ? new Echo(defaults) : new TracedPool(real);
const server = await buildServer({ config, pool, faces, metrics, models: [], log, version: 'bench', defaults });
const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ url });
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({
    cpuMs: (user + system) / 1000,
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
    firstSwapped,
    traces,
  } satisfies ServerFigures);
});
process.once('disconnect', () => {
  rmSync(cacheDir, { recursive: true, force: true });
  process.exit(0);
});
