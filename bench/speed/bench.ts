/**
 * `npm run bench [-- NAME…]`: runs benches and prints their figures, ratios first, with the machine they were taken on.
 * Each bench replaces its section of results/latest.json; the run appends one line to results/history.jsonl.
 */

import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { root } from '../../src/lib/package-root.ts';
import { benchCluster, tableOfCluster } from '../cluster/cluster-bench.ts';
import { benchLiveKit, tableOfLiveKit } from '../cluster/livekit-cost.ts';
import { benchContent } from '../looks/content.ts';
import { benchLooks } from '../looks/looks.ts';
import { benchWatermark } from '../looks/watermark.ts';
import { benchAgentSoak } from '../soak/agent-soak.ts';
import { tableOfTrends } from '../soak/held-trends.ts';
import { benchSoak, tableOfSoak } from '../soak/soak.ts';
import { benchBackground } from './background-cost.ts';
import { benchBatching } from './batching.ts';
import { machine } from './bench-machine.ts';
import { benchCrossfade } from './crossfade-cost.ts';
import { benchFrames, benchMarks } from './frame-cost.ts';
import { benchNeural } from './generator-cost.ts';
import { benchKernels } from './kernel-cost.ts';
import { benchCapacity } from './live/capacity.ts';
import { CONDITIONS, type Condition } from './live/conditions.ts';
import { benchGlass } from './live/glass-to-glass.ts';
import { benchOverload } from './live/overload.ts';
import { benchSteady, partsOf, type SteadyRow, tableOf } from './live/steady.ts';
import { benchViewers } from './live/viewers.ts';
import { recordTraces } from './record-traces.ts';

interface Options {
  minutes: number;
  pairs: number;
  seconds: number;
  size: [number, number][];
  conditions: Condition[];
  clip?: string;
  videos?: string;
  pictures?: string;
}

type Bench = (options: Options) => Promise<unknown>;

const BENCHES: Record<string, Bench> = {
  kernels,
  frame,
  marks,
  background,
  crossfade,
  neural,
  batching,
  glass,
  capacity,
  viewers,
  overload,
  soak,
  steady,
  traces: recordTraces,
  looks,
  cluster,
  livekit,
  'livekit-soak': livekitSoak,
  watermark,
  content,
};
/** The benches that run when none is named: neither needs a browser or minutes. */
const QUICK = ['kernels', 'frame'];

async function kernels() {
  const rows = await benchKernels();
  console.log('pixel kernels beside plain loops:');
  console.table(Object.fromEntries(rows.map(({ kernel, ...figures }) => [kernel, figures])));
  return rows;
}

async function background() {
  const rows = await benchBackground();
  console.log('replacing the background, at its rate of masks, beside bare landmark inference:');
  console.table(Object.fromEntries(rows.map(({ size, background, ...row }) => [`${size}, ${background}`, row])));
  return rows;
}

async function cluster() {
  const rows = benchCluster();
  console.log('a simulated cluster, under two ways to dispatch:');
  console.table(tableOfCluster(rows));
  return rows;
}

async function livekit() {
  const rows = await benchLiveKit();
  console.log('a worker of LiveKit, 640x480 at 30 a second in H.264, beside the camera itself:');
  console.table(tableOfLiveKit(rows ?? []));
  return rows;
}

async function crossfade() {
  const figures = await benchCrossfade();
  const { plainMs, mixedMs, p50Ratio, p99Ratio } = figures;
  console.log('a stream whose face changes every ten frames, beside one that keeps its face, 640x480:');
  console.table({ plain: plainMs, changing: mixedMs });
  console.log(`ratio ${p50Ratio} (p50), ${p99Ratio} (p99)`);
  return figures;
}

async function looks() {
  const rows = await benchLooks();
  console.log('how the swap looks on composed clips; sheets in bench/results/looks:');
  const rounded = Object.entries as (row: object) => [string, unknown][];
  const line = ({ clip: _, ...figures }: (typeof rows)[number]) =>
    Object.fromEntries(rounded(figures).map(([key, v]) => [key, typeof v === 'number' ? Number(v.toFixed(3)) : v]));
  console.table(Object.fromEntries(rows.map((row) => [row.clip, line(row)])));
  return rows;
}

async function watermark({ videos, pictures, seconds }: Options) {
  console.log(`how often the invisible mark is found in clips of ${seconds} s at 1280x720:`);
  const onProgress = (line: string): void => console.log(line);
  const figures = await benchWatermark({ videos: videos ?? null, pictures: pictures ?? null, seconds, onProgress });
  console.table(Object.fromEntries(figures.damages.map(({ damage, ...row }) => [damage, row])));
  console.log('signal to noise of the mark (dB), and what has none:', figures.psnrDb, figures.unmarked);
  return figures;
}

async function content({ videos, pictures }: Options) {
  const { worst, ...figures } = await benchContent(videos ?? null, pictures ?? null);
  console.log('ordinary clips under the content check:', figures);
  console.table(worst);
  return figures;
}

async function frame() {
  const { rows, largeOverSmall } = await benchFrames();
  console.log('whole swapFrame over bare landmark inference, 300-pixel faces:');
  const line = ({ frameMs, landmarkMs, p50Ratio, p99Ratio, stagesMs }: (typeof rows)[number]) => ({
    'p50 ratio': p50Ratio,
    'p99 ratio': p99Ratio,
    'frame p50 ms': frameMs.p50,
    'frame p99 ms': frameMs.p99,
    'landmark p50 ms': landmarkMs.p50,
    'stage landmark': stagesMs.landmark,
    'stage swap': stagesMs.swap,
    'stage watermark': stagesMs.watermark,
  });
  console.table(
    Object.fromEntries(rows.map((row) => [`${row.size}, ${row.faces} face${row.faces > 1 ? 's' : ''}`, line(row)])),
  );
  console.log(`the same face in 1920x1080 over 640x480: ${largeOverSmall}`);
  return { largeOverSmall, rows };
}

async function marks() {
  const figures = await benchMarks();
  console.log('1280x720 at 30 a second with visible mark, invisible mark and content check, and without, in turns:');
  console.table({ on: figures.onMs, off: figures.offMs });
  console.log(`they add ${figures.addedP50Ms} ms (p50), ${figures.addedMeanMs} ms (mean)`);
  console.log(`of processor time ${figures.addedCpuMs} ms (p50):`, figures.cpuMs);
  console.log(`of the mean, ${figures.badgeMs} ms are the visible mark and ${figures.checkMs} ms the content check`);
  return figures;
}

async function neural() {
  const rows = await benchNeural();
  console.log('a generator, and everything around it (random weights, or copies):');
  const line = ({ side, bareMs, aroundMs, wholeMs, p50Ratio }: (typeof rows)[number]) => ({
    side,
    'bare run p50 ms': bareMs.p50,
    'around p50 ms': aroundMs.p50,
    'whole p50 ms': wholeMs.p50,
    p50Ratio,
  });
  console.table(Object.fromEntries(rows.map((row) => [row.model, line(row)])));
  return rows;
}

async function batching() {
  const { lone, rows } = await benchBatching();
  console.log('pictures a second from the device, one at a time and in batches:');
  const line = ({ singleMs, batchedMs, ...rest }: (typeof rows)[number]) => ({
    ...rest,
    'single p95 ms': singleMs.p95,
    'batched p95 ms': batchedMs.p95,
  });
  console.table(rows.map(line));
  console.log(`a lone stream: ${lone.deviceMs.p50} ms on the device, ${lone.hereMs.p50} ms in its own thread (p50)`);
  return { lone, rows };
}

async function glass() {
  const figures = await benchGlass();
  const { swapMs, echoMs, addedMs, cores } = figures;
  console.log('drawn to shown and back, 640x480 at 30 fps, browser and server on this machine:');
  console.table({ swap: { ...swapMs, cores: cores.swap }, echo: { ...echoMs, cores: cores.echo } });
  console.log(
    `the swap adds ${addedMs.p50} ms (p50), ${addedMs.p95} ms (p95); ${cores.ratio} times the echo's processor time`,
  );
  return figures;
}

async function capacity() {
  const figures = await benchCapacity();
  console.log(
    `640x480 sessions with 24 fps or more, cameras on this machine too: swap ${figures.swap}, echo ${figures.echo}`,
  );
  return figures;
}

async function viewers() {
  const rows = await benchViewers();
  console.log('one swapped 640x480 stream and its viewers:');
  console.table(rows);
  return rows;
}

async function overload() {
  const figures = await benchOverload();
  console.log(`frame age p95 under load: ${figures.worstP95Ms} ms at a budget of ${figures.budgetMs} ms;`);
  console.log(`full quality was back after ${figures.backAfterS ?? 'more than 20'} s`);
  console.table(figures.seconds.map(({ levels, ...rest }) => ({ ...rest, levels: levels.join(' ') })));
  return figures;
}

async function soak({ minutes }: Options) {
  console.log(`sessions, viewers and recordings that come and go for ${minutes} minutes, after a warm-up:`);
  const figures = await benchSoak(minutes, (line) => console.log(line));
  const { done, killed, windowMinutes, verdict } = figures;
  const { sessions, viewers, recordings, pictures } = done;
  console.log(`${sessions} sessions, ${viewers} viewers, ${recordings} recordings, ${pictures} pictures came back;`);
  console.log(`${killed} further rounds were killed in mid-stream`);
  console.log(`what the server holds while one session is left, first ${windowMinutes} minutes and last:`);
  console.table(tableOfSoak(figures));
  console.log(`all in all: ${verdict}`);
  return figures;
}

async function livekitSoak({ minutes }: Options) {
  console.log(`publishers and viewers of a LiveKit worker that come and go for ${minutes} minutes, after a warm-up:`);
  const figures = await benchAgentSoak(minutes, (line) => console.log(line));
  if (figures === null) return null;
  const { done, killed, windowMinutes, trends, verdict } = figures;
  console.log(
    `${done.jobs} jobs, ${done.viewers} viewers, ${done.pictures} pictures; ${killed} further rounds were killed`,
  );
  console.log(`what the worker holds without a job, first ${windowMinutes} minutes and last:`);
  console.table(tableOfTrends(trends));
  console.log(`all in all: ${verdict}`);
  return figures;
}

async function steady({ size, clip, ...options }: Options) {
  const { pairs, seconds } = options;
  console.log(`calls of ${seconds} s, ${pairs} of each kind, browser and server on this machine; median (worst):`);
  const print = (row: SteadyRow): void => {
    console.log(`\n${row.size}, ${row.condition}:`);
    console.table(tableOf(row));
    const parts = partsOf(row);
    if (parts === null) return;
    console.log('cores of the server by part:');
    console.table(parts);
  };
  const figures = await benchSteady({ ...options, sizes: size, clip }, print);
  for (const why of figures.leftOut) console.log(`left out, ${why}`);
  return figures;
}

/** Adds results to the files under bench/results. */
function saveResults(results: Record<string, unknown>): void {
  const folder = path.join(root, 'bench/results');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'latest.json');
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as object) : {};
  const stamped = Object.fromEntries(
    Object.entries(results).map(([name, figures]) => [name, { machine: thisMachine, figures }]),
  );
  writeFileSync(file, `${JSON.stringify({ ...before, ...stamped }, null, 2)}\n`);
  appendFileSync(path.join(folder, 'history.jsonl'), `${JSON.stringify({ machine: thisMachine, ...results })}\n`);
}

const positiveNumber = (text: string): number => {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('must be a number, more than 0');
  return number;
};

const sizesOf = (text: string): [number, number][] =>
  text.split(',').map((size) => {
    const [, width, height] = size.match(/^(\d+)x(\d+)$/) ?? [];
    if (height === undefined) throw new InvalidArgumentError('must be sizes, as 640x480,1280x720');
    return [Number(width), Number(height)];
  });

const conditionsOf = (text: string): Condition[] =>
  text.split(',').map((name) => {
    const condition = CONDITIONS.find((one) => one === name);
    if (condition === undefined) throw new InvalidArgumentError(`must be of ${CONDITIONS.join(', ')}`);
    return condition;
  });

const thisMachine = machine();
await new Command('bench')
  .addArgument(new Argument('[names...]', 'what to measure').choices([...Object.keys(BENCHES), 'all']))
  .option(
    '--minutes <n>',
    'soak, livekit-soak: how long it takes, after a warm-up of a twelfth of that',
    positiveNumber,
    60,
  )
  .option('--pairs <n>', 'steady: calls of each kind', positiveNumber, 3)
  .option('--seconds <n>', 'steady, watermark: how long a call or a clip takes', positiveNumber, 60)
  .option('--size <sizes>', 'steady: sizes of the picture', sizesOf, sizesOf('640x480,1280x720'))
  .option('--conditions <names>', `steady: of ${CONDITIONS.join(', ')}`, conditionsOf, [...CONDITIONS])
  .option('--clip <file>', 'steady: a y4m that plays as the camera, instead of the shipped portrait in motion')
  .option('--videos <folder>', 'watermark, content: videos to mark (instead of composed clips), or to check')
  .option('--pictures <folder>', 'watermark, content: pictures without the mark, or to check')
  .action(async (names: string[], options: Options) => {
    const { cpu, cores, memoryGiB, node, date } = thisMachine;
    console.log(`${cpu}, ${cores} cores, ${memoryGiB} GiB, Node ${node}, ${date}\n`);
    const chosen = names.includes('all')
      ? Object.keys(BENCHES).filter((name) => name !== 'traces')
      : names.length > 0
        ? names
        : QUICK;
    const results: Record<string, unknown> = {};
    for (const name of chosen) {
      results[name] = await BENCHES[name]!(options);
      console.log();
    }
    saveResults(results);
  })
  .parseAsync();
