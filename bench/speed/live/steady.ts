/**
 * How steady a call is: a page in a real browser publishes a moving face and shows what comes back, for a minute through
 * the bare echo and for a minute through the swap, with browser and server on the same cores; alone, beside a busy
 * neighbour process and on half the processor.
 */

import path from 'node:path';
import sharp from 'sharp';
import { root } from '../../../src/lib/package-root.ts';
import { ratio } from '../bench-machine.ts';
import { PARTS } from '../thread-time.ts';
import { type Condition, whyNot } from './conditions.ts';
import type { Mode } from './live-run.ts';
import { quantile, type RunFigures, rounded, runCall } from './steady-run.ts';

/** What is measured. */
export interface SteadyOptions {
  /** Calls of each kind. */
  pairs: number;
  /** Length of a call. */
  seconds: number;
  sizes: [width: number, height: number][];
  conditions: Condition[];
  /** A y4m with a face, instead of the shipped portrait in motion. */
  clip: string | undefined;
}

type Figures = Omit<RunFigures, 'trace'>;

/** All pairs of one size under one condition; ratios are swap over echo. */
export interface SteadyRow {
  size: string;
  condition: Condition;
  pairs: ({ fpsRatio: number; coresRatio: number | null } & Record<Mode, Figures>)[];
}

/** All rows. */
export interface SteadyFigures {
  rows: SteadyRow[];
  /** Conditions that this machine does not allow, and why. */
  leftOut: string[];
}

/** Needs Chromium. @param onRow called with each row when it is complete. */
export async function benchSteady(options: SteadyOptions, onRow: (row: SteadyRow) => void): Promise<SteadyFigures> {
  const { pairs, seconds, sizes, conditions, clip } = options;
  const portrait = path.join(root, 'models/portraits/astronaut.webp');
  const face = clip === undefined ? (await sharp(portrait).png().toBuffer()).toString('base64') : null;
  const rows: SteadyRow[] = [];
  const leftOut: string[] = [];
  for (const condition of conditions) {
    const why = await whyNot(condition);
    if (why !== null) {
      leftOut.push(`${condition}: ${why}`);
      continue;
    }
    for (const [width, height] of sizes) {
      const run = async (mode: Mode): Promise<Figures> => {
        const { trace: _, ...figures } = await runCall({ mode, condition, seconds, clip, face, width, height });
        return figures;
      };
      const row: SteadyRow = { size: `${width}x${height}`, condition, pairs: [] };
      for (let i = 0; i < pairs; i++) row.pairs.push(await pairOf(i, run));
      rows.push(row);
      onRow(row);
    }
  }
  return { rows, leftOut };
}

/** An echo and a swap; which one goes first alternates from pair to pair. */
async function pairOf(n: number, run: (mode: Mode) => Promise<Figures>): Promise<SteadyRow['pairs'][number]> {
  const early = n % 2 === 0 ? await run('echo') : null;
  const swap = await run('swap');
  const echo = early ?? (await run('echo'));
  return {
    fpsRatio: ratio(swap.fps, echo.fps),
    coresRatio: swap.cores === null || echo.cores === null ? null : ratio(swap.cores.server, echo.cores.server),
    echo,
    swap,
  };
}

/** Figures of the table, and which end of each is the bad one. */
const JUDGED: [name: string, of: (run: Figures) => number | null, worst: 'least' | 'most'][] = [
  ['fps', ({ fps }) => fps, 'least'],
  ['first picture ms', ({ firstMs }) => firstMs, 'most'],
  ['first swapped ms', ({ firstSwappedMs }) => firstSwappedMs, 'most'],
  ['longest gap ms', ({ longestGapMs }) => longestGapMs, 'most'],
  ['freezes', ({ freezes }) => freezes, 'most'],
  ['gap p50 ms', ({ gapP50Ms }) => gapP50Ms, 'most'],
  ['gap p95 ms', ({ gapP95Ms }) => gapP95Ms, 'most'],
  ['delay p50 ms', ({ delayP50Ms }) => delayP50Ms, 'most'],
  ['swapped', ({ swappedShare }) => swappedShare, 'least'],
  ['bare', ({ passed }) => passed, 'most'],
  ['left out', ({ dropped }) => dropped, 'most'],
  ['changes of plan', ({ planChanges }) => planChanges, 'most'],
  ['after 5 s', ({ lateChanges }) => lateChanges, 'most'],
  ['age p95 ms', ({ ageP95Ms }) => ageP95Ms, 'most'],
  ['cores', ({ cores }) => cores?.server ?? null, 'most'],
  ['browser cores', ({ cores }) => cores?.browser ?? null, 'most'],
  ['cores elsewhere', ({ cores }) => cores?.elsewhere ?? null, 'most'],
];

/** Median and worst over the pairs, `median (worst)`. */
export function tableOf({ pairs }: SteadyRow): Record<string, Record<string, string>> {
  const cellOf = (values: (number | null)[], worst: 'least' | 'most'): string => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return '';
    const [median, end] = [middle(known), worst === 'most' ? Math.max(...known) : Math.min(...known)];
    return known.length === 1 ? `${median}` : `${median} (${end})`;
  };
  const table: Record<string, Record<string, string>> = {};
  for (const [name, of, worst] of JUDGED) {
    const column = (mode: Mode): string =>
      cellOf(
        pairs.map((pair) => of(pair[mode])),
        worst,
      );
    table[name] = { echo: column('echo'), swap: column('swap'), 'swap / echo': '' };
  }
  const fps = pairs.map(({ fpsRatio }) => fpsRatio);
  table.fps!['swap / echo'] = cellOf(fps, 'least');
  const cores = pairs.map(({ coresRatio }) => coresRatio);
  table.cores!['swap / echo'] = cellOf(cores, 'most');
  return table;
}

/** Cores by part, the median over the pairs; null without /proc. */
export function partsOf({ pairs }: SteadyRow): Record<Mode, Record<string, number>> | null {
  if (pairs.some(({ echo, swap }) => echo.cores === null || swap.cores === null)) return null;
  const column = (mode: Mode): Record<string, number> =>
    Object.fromEntries(PARTS.map((part) => [part, middle(pairs.map((pair) => pair[mode].cores![part]))]));
  return { echo: column('echo'), swap: column('swap') };
}

function middle(values: readonly number[]): number {
  const [low, high] = [quantile(values, 0.499), quantile(values, 0.5)];
  return rounded((low + high) / 2, 1000);
}
