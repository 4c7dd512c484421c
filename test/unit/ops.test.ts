/** Dashboard and alerts: they name metrics that there are, and every alert is tested. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load } from 'js-yaml';
import { expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';
import { dashboardPanels, dashboardQueries } from '../support/dashboard.ts';

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const yaml = <T>(file: string): T => load(read(file)) as T;

interface Rule {
  alert?: string;
  /** Name of what a rule records. */
  record?: string;
  expr: string;
  labels?: { severity: string };
}

const { groups } = yaml<{ groups: { rules: Rule[] }[] }>('ops/prometheus/alerts.yml');
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.flatMap(({ alert, ...rule }) => (alert === undefined ? [] : [{ alert, ...rule }]));
const recorded = new Set(rules.flatMap(({ record = [] }) => record));
const metrics = new Set([...read('docs/metrics.md').matchAll(/^\| `(\w+)` \| \w+ \|/gm)].map(([, name]) => name!));

test('queries name metrics of docs/metrics.md', () => {
  const queries = [
    ...dashboardQueries({ instance: '.*', interval: '1m' }).map(({ query }) => query),
    ...rules.map(({ expr }) => expr),
  ];
  const named = queries.flatMap((query) => query.match(/\b(faceoff|process|nodejs)_\w+/g) ?? []);
  expect(named.length).toBeGreaterThan(40);
  const isThere = (name: string): boolean =>
    metrics.has(name) || recorded.has(name) || metrics.has(name.replace(/_(bucket|sum|count)$/, ''));
  expect(named.filter((name) => !isThere(name))).toEqual([]);
});

test('every metric of the server is in the dashboard', () => {
  const text = JSON.stringify(dashboardPanels());
  // Those of a worker of LiveKit are served by another program.
  const own = [...metrics].filter((name) => name.startsWith('faceoff_') && !name.startsWith('faceoff_agent_'));
  expect(own.filter((name) => !text.includes(name))).toEqual([]);
});

test('every alert is tested: once it fires, once it does not', () => {
  const { tests } = yaml<{ tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[] }>(
    'ops/prometheus/alerts.test.yml',
  );
  const all = tests.flatMap((one) => one.alert_rule_test);
  const names = (fires: boolean): Set<string> =>
    new Set(all.filter(({ exp_alerts = [] }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname));
  expect(alerts.filter(({ alert }) => !names(true).has(alert) || !names(false).has(alert))).toEqual([]);
});

test('docs/monitoring.md lists every alert with its severity', () => {
  const listed = [...read('docs/monitoring.md').matchAll(/^\| `(FaceOff\w+)` \| (\w+) \|/gm)];
  expect(listed.map(([, alert, severity]) => [alert, severity])).toEqual(
    alerts.map(({ alert, labels }) => [alert, labels?.severity]),
  );
});

test('docs/monitoring.md lists every row of the dashboard', () => {
  const listed = [...read('docs/monitoring.md').matchAll(/^\| ([A-Z][\w ]+) \|/gm)].map(([, row]) => row);
  const rows = dashboardPanels().filter(({ type }) => type === 'row');
  expect(listed).toEqual(rows.map(({ title }) => title));
});

test('panels have ids of their own, a title, and do not overlap', () => {
  const panels = dashboardPanels();
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(
    panels.filter(({ title, type, targets = [] }) => title === '' || (type !== 'row' && targets.length === 0)),
  ).toEqual([]);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
});
