/** The live numbers and the line of frame times. */

import type { SessionStats } from '../messages.ts';
import { element, make } from './dom.ts';
import { showMs } from './states.ts';

/** Points of the line, one a second. */
const HISTORY = 60;

export class Numbers {
  readonly #spark = element('spark', HTMLCanvasElement);
  readonly #stages = element('stages', HTMLUListElement);
  #history: number[] = [];

  show(stats: SessionStats, roundTripMs: number | null): void {
    const put = (id: string, text: string): void => {
      document.getElementById(id)!.textContent = text;
    };
    put('fps-in', stats.fpsIn.toFixed(0));
    put('fps-out', stats.fpsOut.toFixed(0));
    put('frame-p50', showMs(stats.frameMs.p50));
    put('frame-p95', showMs(stats.frameMs.p95));
    // The way there and back and the codecs are paid with or without a swap; this is what the swap adds.
    put('latency', showMs(stats.frameMs.p50));
    put('rtt', showMs(roundTripMs));
    put('size', `${stats.width} × ${stats.height}`);
    put('level', stats.plan);
    const stages = Object.entries({ wait: stats.waitMs.p50, ...stats.stagesMs });
    this.#stages.replaceChildren(
      ...stages.map(([name, ms]) => make('li', { textContent: `${name} ${showMs(ms)} ms` })),
    );
    this.#history = [...this.#history, stats.frameMs.p95].slice(-HISTORY);
    this.#draw();
  }

  #draw(): void {
    const context = this.#spark.getContext('2d');
    if (context === null) return;
    const { width, height } = this.#spark;
    const top = Math.max(33, ...this.#history);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = getComputedStyle(this.#spark).color;
    context.lineWidth = 2;
    context.beginPath();
    for (const [i, ms] of this.#history.entries())
      context.lineTo((i * width) / (HISTORY - 1), height - 2 - ((height - 4) * ms) / top);
    context.stroke();
  }
}
