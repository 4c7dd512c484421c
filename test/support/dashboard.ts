/** The panels and queries of ops/grafana/faceoff.json. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';

export interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; refId: string }[];
}

export interface PanelQuery {
  /** Title of the row that the panel is in. */
  row: string;
  panel: string;
  query: string;
}

/** All panels, rows among them. */
export const dashboardPanels = (): Panel[] =>
  (JSON.parse(readFileSync(path.join(root, 'ops/grafana/faceoff.json'), 'utf8')) as { panels: Panel[] }).panels;

/** Every query, with the values that Grafana puts in for the dashboard's variables. */
export function dashboardQueries({ instance, interval }: { instance: string; interval: string }): PanelQuery[] {
  let row = '';
  return dashboardPanels().flatMap(({ type, title, targets = [] }) => {
    if (type === 'row') row = title;
    return targets.map(({ expr }) => ({
      row,
      panel: title,
      query: expr.replaceAll('$instance', instance).replaceAll('$__rate_interval', interval),
    }));
  });
}
