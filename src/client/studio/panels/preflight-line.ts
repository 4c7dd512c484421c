/** What the server's machine can hold, told before the camera is started. */

import type { Preflight } from '../../../shared/messages.ts';
import { element } from '../../lib/dom.ts';

const EVERY_MS = 3000;

export class PreflightLine {
  readonly #line = element('preflight', HTMLElement);
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Asks now and again from now on, or no more. */
  set on(on: boolean) {
    if (on === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => void this.#ask(), EVERY_MS) : undefined;
    this.#line.hidden = true;
    if (on) void this.#ask();
  }

  async #ask(): Promise<void> {
    // Nobody sees it.
    if (document.hidden) return;
    const text = await fetch('/api/preflight')
      .then(async (answer) => (answer.ok ? told((await answer.json()) as Preflight) : null))
      // A server that is gone is told elsewhere on the page.
      .catch(() => null);
    this.#line.textContent = text;
    this.#line.hidden = text === null || this.#timer === undefined;
  }
}

/** Where nothing was measured there is nothing to tell. */
const told = ({ sessions, fps, text }: Preflight): string | null => (fps === null && sessions > 0 ? null : text);
