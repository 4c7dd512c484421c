/** The preflight line, shown before the camera is started. */

import type { Preflight } from '../../../shared/messages.ts';
import { say } from '../../language/translate.ts';
import { element } from '../../lib/dom.ts';
import { serverUrl } from '../../lib/server-url.ts';

const EVERY_MS = 3000;

/** Says what the server's machine has room for, asked every three seconds while it is on. */
export class PreflightLine {
  readonly #line = element('preflight', HTMLElement);
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Starts or stops asking; off hides the line. */
  set on(on: boolean) {
    if (on === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => void this.#refresh(), EVERY_MS) : undefined;
    this.#line.hidden = true;
    if (on) void this.#refresh();
  }

  async #refresh(): Promise<void> {
    // The page is not visible.
    if (document.hidden) return;
    const text = await fetch(serverUrl('/api/preflight'))
      .then(async (answer) => (answer.ok ? textOf((await answer.json()) as Preflight) : null))
      // The page's notice reports a server that is gone.
      .catch(() => null);
    this.#line.textContent = text;
    this.#line.hidden = text === null || this.#timer === undefined;
  }
}

/** The line's text; null where nothing was measured. */
const textOf = ({ sessions, fps, text, said }: Preflight): string | null =>
  fps === null && sessions > 0 ? null : say(said ?? { key: text });
