/** The machine panel. */

import type { MachineHistory, MachineSample } from '../../../shared/messages.ts';
import { t } from '../../language/translate.ts';
import { element } from '../../lib/dom.ts';
import { showBytes, showCores, showPercent } from '../../lib/format.ts';
import { serverUrl } from '../../lib/server-url.ts';
import { Sparkline } from '../../lib/sparkline.ts';

const EVERY_MS = 2000;
/** Ten minutes of samples, one a second. */
const MOST_SAMPLES = 600;

/** Full height over the highest value, for gauges without a natural maximum. */
const HEADROOM = 1.25;

interface Gauge {
  id: string;
  /** Null where the machine does not measure it. */
  value(sample: MachineSample): number | null;
  text(sample: MachineSample): string;
  /** The value at full height, where there is a natural maximum. */
  top?(sample: MachineSample): number;
}

const GAUGES: readonly Gauge[] = [
  {
    id: 'vram',
    value: ({ gpu }) => gpu?.usedBytes ?? null,
    text: ({ gpu }) =>
      t('{{used}} of {{total}}', { used: showBytes(gpu?.usedBytes), total: showBytes(gpu?.totalBytes) }),
    top: ({ gpu }) => gpu?.totalBytes ?? 0,
  },
  {
    id: 'gpu',
    value: ({ gpu }) => gpu?.utilisation ?? null,
    text: ({ gpu }) => showPercent(gpu?.utilisation ?? 0),
    top: () => 1,
  },
  { id: 'rss', value: ({ rssBytes }) => rssBytes, text: ({ rssBytes }) => showBytes(rssBytes) },
  { id: 'cores', value: ({ cores }) => cores, text: ({ cores }) => showCores(cores), top: () => 1 },
];

const PRESSURES: Record<MachineSample['pressure'], string> = {
  none: '',
  release: t('Memory is getting short: what is not in use was released.'),
  degrade: t('Memory is short: streams do less until it is free again.'),
};

/** Memory, processor and GPU of the server's machine over the last ten minutes. */
export class MachinePanel {
  readonly #lines = GAUGES.map(({ id }) => new Sparkline(canvasOf(id)));
  #samples: MachineSample[] = [];

  constructor() {
    void this.#refresh();
    setInterval(() => void this.#refresh(), EVERY_MS);
  }

  async #refresh(): Promise<void> {
    // The page is not visible.
    if (document.hidden) return;
    const since = this.#samples.at(-1)?.atMs ?? 0;
    try {
      const answer = await fetch(serverUrl(`/api/status/memory?since=${since}`));
      if (answer.ok) this.#show((await answer.json()) as MachineHistory);
    } catch {
      // The page's notice reports a server that is gone; the panel goes on when the server is back.
    }
  }

  #show({ gpu, samples }: MachineHistory): void {
    // Two requests may have been under way at once.
    const newest = this.#samples.at(-1)?.atMs ?? 0;
    this.#samples = [...this.#samples, ...samples.filter(({ atMs }) => atMs > newest)].slice(-MOST_SAMPLES);
    const last = this.#samples.at(-1);
    if (last === undefined) return;
    element('gpu-name', HTMLElement).textContent = gpu?.name ?? '';
    element('pressure', HTMLElement).textContent = PRESSURES[last.pressure];
    for (const [i, { id, value, text, top }] of GAUGES.entries()) {
      const values = this.#samples.map(value).filter((one) => one !== null);
      element(`machine-${id}`, HTMLElement).hidden = values.length === 0;
      element(`${id}-value`, HTMLElement).textContent = value(last) === null ? '–' : text(last);
      this.#lines[i]!.show(values, top?.(last) ?? HEADROOM * Math.max(...values));
    }
  }
}

const canvasOf = (id: string): HTMLCanvasElement => element(`${id}-line`, HTMLCanvasElement);
