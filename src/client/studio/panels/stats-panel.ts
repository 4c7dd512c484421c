/** The statistics panel. */

import type { SessionStats, Verdict } from '../../../shared/messages.ts';
import { say, t } from '../../language/translate.ts';
import { createElement, element } from '../../lib/dom.ts';
import { showMs, showRate, showSize } from '../../lib/format.ts';
import { Sparkline } from '../../lib/sparkline.ts';
import type { Network } from '../../peer/network-stats.ts';
import { planText } from '../engine-text.ts';

/** Time of one frame at 30 a second. */
const FRAME_MS = 1000 / 30;
const IDLE = t('Once you are live, this line says what limits the picture, if anything does.');

/** Live numbers of the session: frame rates, frame times, network, quality plan and what limits the stream. */
export class StatsPanel {
  readonly #spark = new Sparkline(element('spark', HTMLCanvasElement), FRAME_MS);
  readonly #stages = element('stages', HTMLUListElement);

  /** Shows one report; the server sends one a second. */
  show(stats: SessionStats, { roundTripMs, bufferMs }: Network): void {
    const { frameMs, waitMs } = stats;
    put('fps-in', showRate(stats.fpsIn));
    put('fps-out', showRate(stats.fpsOut));
    put('frame-p50', showMs(frameMs.p50));
    put('frame-p95', showMs(frameMs.p95));
    // Coding, network and buffers take their time with or without a swap; the frame time is what the swap adds.
    put('latency', showMs(frameMs.p50));
    put('round-trip', showMs(roundTripMs));
    put('buffer', showMs(bufferMs));
    put('size', showSize(stats.width, stats.height));
    put('plan', planText(stats.plan));
    element('plan', HTMLElement).dataset.level = String(stats.level);
    this.#showVerdict(stats.verdict);
    this.#spark.add(frameMs.p95);
    this.#showStages({ wait: waitMs.p50, ...stats.stagesMs });
  }

  /** Shows no numbers. */
  clear(): void {
    for (const id of ['fps-in', 'fps-out', 'frame-p50', 'frame-p95', 'latency', 'round-trip', 'buffer', 'size', 'plan'])
      put(id, '–');
    delete element('plan', HTMLElement).dataset.level;
    this.#showVerdict(null);
    this.#spark.clear();
    this.#showStages({});
  }

  /** Shows in one line what limits the stream. */
  #showVerdict(verdict: Verdict | null): void {
    element('verdict', HTMLElement).dataset.cause = verdict?.cause ?? '';
    // The line keeps its place without a verdict, so that the picture does not move.
    put('verdict', verdict === null ? IDLE : say(verdict.said ?? { key: verdict.text }));
  }

  #showStages(stages: Record<string, number>): void {
    const most = Math.max(1, ...Object.values(stages));
    const rows = Object.entries(stages).map(([name, ms]) => {
      const row = createElement(
        'li',
        {},
        {},
        createElement('span', { textContent: name, translate: false }),
        createElement('span', { textContent: showMs(ms) }),
      );
      row.style.setProperty('--share', `${(100 * ms) / most}%`);
      return row;
    });
    this.#stages.replaceChildren(...rows);
  }
}

function put(id: string, text: string): void {
  const place = element(id, HTMLElement);
  if (place.textContent !== text) place.textContent = text;
}
