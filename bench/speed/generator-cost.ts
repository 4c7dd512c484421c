/**
 * What a generator costs and what everything around it costs: crop, tiles, colours, texels, paste, load and store. Taken in
 * turns with the bare run, so that whatever else the machine does falls on both. The models are stand-ins: inswapper_128
 * in its true size with random weights, others that only copy.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';
import { GeneratorRunner } from '../../src/pipeline/engines/neural/generator-runner.ts';
import { ALL_POINTS, EYE_LEFT, EYE_RIGHT } from '../../src/pipeline/face/topology.ts';
import { readCatalogue } from '../../src/pipeline/models/catalogue.ts';
import { TEMPLATES, type TemplateName } from '../../src/pipeline/models/profiles.ts';
import type { Frame } from '../../src/shared/types.ts';
import { ratio, type Spread, spread } from './bench-machine.ts';

export interface NeuralFigures {
  model: string;
  /** Side of the picture the generator paints, in pixels. */
  side: number;
  /** The generator's run alone. */
  bareMs: Spread;
  /** Everything: from the frame to the frame. */
  wholeMs: Spread;
  /** What is not the run, in each round. */
  aroundMs: Spread;
  /** Whole over bare. */
  p50Ratio: number;
}

/** Side of the crop's square in the frame: that of a face about 300 pixels wide. */
const SQUARE = 430;
const [WIDTH, HEIGHT] = [1280, 720];

/** @param rounds of the true-size model; copying ones run ten times as often. */
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
    for (const [i, name] of names.entries()) rows.push(await measure(folder, name, i === 0 ? rounds : 10 * rounds));
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, name: string, rounds: number): Promise<NeuralFigures> {
  const catalogue = readCatalogue(folder);
  const entry = catalogue.named(name, 'generator');
  const options = { threads: 1, warmupRuns: 2, maxPixels: WIDTH * HEIGHT, boost: 1 };
  const painter = await GeneratorRunner.open(catalogue, entry, options);
  const run = painter.run;
  const strokes = { source: new Float32Array(512).fill(0.04), strength: 1, colour: 1 };
  const [bare, whole, around]: [number[], number[], number[]] = [[], [], []];
  for (let round = -3; round < rounds; round++) {
    const frame = noise(round);
    const points = facePoints(entry.profile.template, round);
    const beganMs = performance.now();
    await run();
    const betweenMs = performance.now();
    const inRunMs = await paintTimed(painter, frame, points, strokes);
    const endedMs = performance.now();
    if (round < 0) continue;
    bare.push(betweenMs - beganMs);
    whole.push(endedMs - betweenMs);
    around.push(endedMs - betweenMs - inRunMs);
  }
  await painter.close();
  const [bareMs, wholeMs] = [spread(bare), spread(whole)];
  return {
    ...{ model: name, side: painter.side, bareMs, wholeMs, aroundMs: spread(around) },
    p50Ratio: ratio(wholeMs.p50, bareMs.p50),
  };
}

/** Paints, and returns how much of the time was the model's run. */
async function paintTimed(
  ...[painter, ...ask]: [GeneratorRunner, ...Parameters<GeneratorRunner['paint']>]
): Promise<number> {
  const before = painter.runMs;
  await painter.paint(...ask);
  return painter.runMs - before;
}

/** A face on its template, a little elsewhere each time. */
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
