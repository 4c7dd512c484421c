import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { AgentMetrics } from '../../src/agent/agent-metrics.ts';
import { root } from '../../src/lib/package-root.ts';
import { Metrics } from '../../src/metrics.ts';
import { ladderFor } from '../../src/pipeline/lane/quality-ladder.ts';
import { CAUSES } from '../../src/server/monitor/verdict.ts';
import type { FrameResult, SwappedFrame } from '../../src/shared/types.ts';

const frame = (result: FrameResult): SwappedFrame => ({
  frame: { width: 2, height: 2, data: new Uint8Array(6), receivedAtMs: 0 },
  result,
  waitMs: 2.5,
  hold: false,
  faces: [],
  stagesMs: { landmark: 3.5, swap: 0.5 },
  plan: 'full',
  level: 0,
});

/** Each figure by its name with labels, as Prometheus reads it. */
async function figures(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

test('a frame is counted where it fell, in seconds', async () => {
  const metrics = new Metrics();
  metrics.frame(frame('swapped'), 12);
  metrics.frame(frame('passed'), 90);
  metrics.count('dropped');
  expect(await figures(metrics)).toMatchObject({
    'faceoff_frame_seconds_bucket{le="0.01"}': 0,
    'faceoff_frame_seconds_bucket{le="0.013"}': 1,
    'faceoff_frame_seconds_bucket{le="0.1"}': 2,
    faceoff_frame_seconds_sum: 0.102,
    'faceoff_wait_seconds_bucket{le="0.003"}': 2,
    'faceoff_stage_seconds_bucket{le="0.003",stage="landmark"}': 0,
    'faceoff_stage_seconds_bucket{le="0.004",stage="landmark"}': 2,
    'faceoff_stage_seconds_count{stage="swap"}': 2,
    'faceoff_frames_total{result="swapped"}': 1,
    'faceoff_frames_total{result="passed"}': 1,
    'faceoff_frames_total{result="dropped"}': 1,
    'faceoff_frames_total{result="failed"}': 0,
  });
});

test('sessions, quality and models are gauges', async () => {
  const metrics = new Metrics();
  metrics.sessions(3, 2);
  metrics.verdicts({
    faces: 0,
    content: 0,
    size: 0,
    good: 2,
    processor: 1,
    lane: 0,
    network: 0,
    camera: 0,
    memory: 0,
    model: 0,
  });
  metrics.modelLoad({ model: 'mesh', provider: 'cpu', cached: false, loadMs: 1500 });
  expect(await figures(metrics)).toMatchObject({
    faceoff_sessions: 3,
    faceoff_degradation_level: 2,
    'faceoff_verdict{cause="good"}': 2,
    'faceoff_verdict{cause="processor"}': 1,
    'faceoff_verdict{cause="lane"}': 0,
    'faceoff_model_load_seconds{model="mesh",provider="cpu",cache="miss"}': 1.5,
  });
});

test('a plan that no session has any more is gone, full quality never is', async () => {
  const metrics = new Metrics();
  metrics.plans(['full', '15 fps', '15 fps']);
  expect(await figures(metrics)).toMatchObject({ 'faceoff_plan{plan="full"}': 1, 'faceoff_plan{plan="15 fps"}': 2 });
  metrics.plans([]);
  const plans = Object.entries(await figures(metrics)).filter(([name]) => name.startsWith('faceoff_plan'));
  expect(plans).toEqual([['faceoff_plan{plan="full"}', 0]]);
});

test('late frames are a part of the dropped ones', async () => {
  const metrics = new Metrics();
  metrics.dropped(true);
  metrics.dropped(false);
  expect(await figures(metrics)).toMatchObject({
    'faceoff_frames_total{result="dropped"}': 2,
    faceoff_late_frames_total: 1,
  });
});

test('an error is counted by a code of the catalogue, or as other', async () => {
  const metrics = new Metrics();
  for (const code of ['unknown_face', 'fst_err_ctp_body_too_large', 'toString']) metrics.error(code);
  expect(await figures(metrics)).toMatchObject({
    'faceoff_errors_total{code="unknown_face"}': 1,
    'faceoff_errors_total{code="other"}': 2,
    'faceoff_errors_total{code="internal"}': 0,
  });
});

test('docs/metrics.md lists every metric with its type, labels and meaning', async () => {
  const metrics = new Metrics();
  metrics.gpu({ usedBytes: 1, totalBytes: 2, utilisation: null });
  new AgentMetrics(metrics.registry);
  const listed = [
    ...readFileSync(path.join(root, 'docs/metrics.md'), 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \| (.*) \| (.*) \|$/gm),
  ].map(([row]) => row);
  // The library's types leave out what each metric has besides.
  const registered = metrics.registry.getMetricsAsArray() as unknown as {
    name: string;
    type: string;
    labelNames: readonly string[];
    help: string;
  }[];
  const rows = registered.map(({ name, type, labelNames, help }) => {
    const labels = labelNames.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${labels || '—'} | ${help.replace(/\.$/, '')} |`;
  });
  // What the process tells of itself is most on Linux.
  const isOwn = (row: string): boolean => row.startsWith('| `faceoff_');
  expect(listed.filter(isOwn)).toEqual(rows.filter(isOwn));
  expect(listed).toEqual(expect.arrayContaining(rows));
  if (process.platform === 'linux') expect(listed).toHaveLength(rows.length);
});

test.each([
  ['plan', ladderFor(true, true).map(({ name }) => name)],
  ['cause', [...CAUSES, 'good']],
])('docs/metrics.md lists the values of %s', (label, values) => {
  const row = readFileSync(path.join(root, 'docs/metrics.md'), 'utf8').match(
    new RegExp(`^\\| \`${label}\` \\| (.*) \\|$`, 'm'),
  )!;
  expect([...row[1]!.matchAll(/`([^`]+)`/g)].map(([, value]) => value)).toEqual(values);
});

test('buckets are those of the settings, and two registries do not share anything', async () => {
  const [one, other] = [new Metrics({ stageBucketsMs: [5, 50] }), new Metrics()];
  one.frame(frame('swapped'), 12);
  const names = Object.keys(await figures(one)).filter((name) => name.startsWith('faceoff_frame_seconds_bucket'));
  expect(names.map((name) => name.match(/le="(.*)"/)![1])).toEqual(['0.005', '0.05', '+Inf']);
  expect((await figures(other)).faceoff_frame_seconds_count).toBe(0);
});

test('the process itself is measured too', async () => {
  expect(await figures(new Metrics())).toHaveProperty('process_resident_memory_bytes');
});
