/**
 * What a generator costs, and what everything around it costs: crop, tiles, colours, texels, paste, load and store.
 * Whole swaps and bare runs are measured alternately, so that other load on the machine falls on both. The models are
 * stand-ins: inswapper_128 in its true size with random weights, the others copy their input.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';
import { GeneratorRunner } from '../../src/pipeline/engines/neural/generator-runner.ts';
import { ALL_POINTS, EYE_LEFT, EYE_RIGHT } from '../../src/pipeline/face/topology.ts';
import type { ModelDevice } from '../../src/pipeline/inference/model-device.ts';
import { readCatalogue } from '../../src/pipeline/models/catalogue.ts';
import { TEMPLATES, type TemplateName } from '../../src/pipeline/models/profiles.ts';
import type { Frame } from '../../src/shared/types.ts';
import { ratio, type Spread, spread } from './bench-machine.ts';

/** One generator on one thread. Times in milliseconds. */
export interface NeuralFigures {
  model: string;
  /** Side of the picture the generator paints, in pixels. */
  side: number;
  /** The generator's run alone. */
  bareMs: Spread;
  /** The whole swap, from the frame that comes to the frame that goes. */
  wholeMs: Spread;
  /** The whole swap less the generator's run, round by round. */
  aroundMs: Spread;
  /** Whole over bare. */
  p50Ratio: number;
}

/** Side of the crop's square in the frame, in pixels: that of a face about 300 pixels wide. */
const SQUARE = 430;
const [WIDTH, HEIGHT] = [1280, 720];

/**
 * Takes minutes: a run of inswapper_128 takes more than a second on a CPU.
 * @param rounds of the true-size model; the copying models run ten times as often.
 */
export async function benchNeural(rounds = 20): Promise<NeuralFigures[]> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-bench-'));
  try {
    mkdirSync(path.join(folder, 'optional'));
    writeFileSync(path.join(folder, 'models.yaml'), 'models: []\n');
    const names = ['inswapper_128', 'hyperswap_1a_256', 'simswap_unofficial_512'];
    const script = path.join(root, 'scripts/stand-ins.mjs');
    const made = spawnSync(process.execPath, [script, folder, ...names, '--real-size'], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(made.stderr);
    const rows: NeuralFigures[] = [];
    for (const [i, name] of names.entries())
      rows.push(await measureGenerator(folder, name, i === 0 ? rounds : 10 * rounds));
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Measures one generator.
 * @param folder of the models. @param device that runs the model; null runs it in this thread.
 */
export async function measureGenerator(
  folder: string,
  name: string,
  rounds: number,
  device: ModelDevice | null = null,
): Promise<NeuralFigures> {
  const catalogue = readCatalogue(folder);
  const entry = catalogue.named(name, 'generator');
  const options = { threads: 1, warmupRuns: 2, maxPixels: WIDTH * HEIGHT, boost: 1, device };
  const runner = await GeneratorRunner.open(catalogue, entry, options);
  const run = runner.run;
  const look = { source: new Float32Array(512).fill(0.04), strength: 1, colour: 1 };
  const [bare, whole, around]: [number[], number[], number[]] = [[], [], []];
  for (let round = -3; round < rounds; round++) {
    const frame = noise(round);
    const points = facePoints(entry.profile.template, round);
    const beganMs = performance.now();
    await run();
    const betweenMs = performance.now();
    const inRunMs = await paintTimed(runner, frame, points, look);
    const endedMs = performance.now();
    if (round < 0) continue;
    bare.push(betweenMs - beganMs);
    whole.push(endedMs - betweenMs);
    around.push(endedMs - betweenMs - inRunMs);
  }
  await runner.close();
  const [bareMs, wholeMs] = [spread(bare), spread(whole)];
  return {
    model: name,
    side: runner.side,
    bareMs,
    wholeMs,
    aroundMs: spread(around),
    p50Ratio: ratio(wholeMs.p50, bareMs.p50),
  };
}

/** Runs the whole swap. @returns how much of its time the model's run took, in milliseconds. */
async function paintTimed(runner: GeneratorRunner, ...request: Parameters<GeneratorRunner['paint']>): Promise<number> {
  const before = runner.runMs;
  await runner.paint(...request);
  return runner.runMs - before;
}

/** Landmarks of a face that lies on its template, moved by up to four pixels. */
function facePoints(template: TemplateName, step: number): Float32Array {
  const t = TEMPLATES[template];
  const points = new Float32Array(ALL_POINTS * 3);
  for (const [k, group] of [EYE_RIGHT, EYE_LEFT, [1, 4], [61], [291]].entries()) {
    const at = [WIDTH / 2 + (step % 5) + SQUARE * (t[2 * k]! - 0.5), HEIGHT / 2 + SQUARE * (t[2 * k + 1]! - 0.5)];
    for (const i of group) points.set(at, 3 * i);
  }
  return points;
}

function noise(step: number): Frame {
  const data = new Uint8Array((WIDTH * HEIGHT * 3) / 2);
  for (let i = 0; i < data.length; i++) data[i] = 60 + ((i * 7919 + step * 104_729) % 120);
  return { width: WIDTH, height: HEIGHT, data, receivedAtMs: 0 };
}
