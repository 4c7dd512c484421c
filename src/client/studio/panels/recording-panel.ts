/** The panel that records the swapped picture on the server, and takes still pictures of it. */

import type { ErrorBody, RecordingState, SessionStats } from '../../../shared/messages.ts';
import { createElement, element } from '../../lib/dom.ts';
import { showBytes, showTime } from '../../lib/format.ts';
import { toast } from '../../lib/toast.ts';

export class RecordingPanel {
  readonly #record = element('record', HTMLButtonElement);
  readonly #snapshot = element('snapshot', HTMLButtonElement);
  readonly #note = element('record-note', HTMLElement);
  readonly #files = element('record-files', HTMLUListElement);
  #session: string | null = null;
  #isActive = false;
  /** The end that was told, by when its recording began. */
  #told: string | null = null;

  constructor() {
    this.#record.addEventListener('click', () => void this.#toggle());
    this.#snapshot.addEventListener('click', () => void this.#take());
    this.clear();
  }

  /** While the picture runs, once a second. */
  show({ session, recording }: SessionStats): void {
    this.#session = session;
    this.#snapshot.disabled = false;
    this.#record.disabled = false;
    if (recording !== undefined) this.#tell(recording);
  }

  /** Its session is over, and the recording with it; the server keeps the files. */
  clear(): void {
    this.#session = null;
    this.#snapshot.disabled = true;
    this.#record.disabled = true;
    this.#press(false, 'Record');
  }

  #tell(state: RecordingState): void {
    const { active, lastedMs, bytes, dropped, files, folder, error, startedAt } = state;
    this.#press(active, active ? `Stop ${showTime(lastedMs)}` : 'Record');
    this.#files.replaceChildren(
      ...files.map((file) =>
        createElement(
          'li',
          {},
          {},
          createElement('a', { href: `/api/recordings/${file}`, textContent: file, download: file }),
        ),
      ),
    );
    const left = dropped > 0 ? `, ${dropped} pictures left out` : '';
    this.#note.textContent = `${showBytes(bytes)} in ${folder}${left}`;
    if (active || error === null || this.#told === startedAt) return;
    this.#told = startedAt;
    toast(`The recording ended. ${error.message}`);
  }

  #press(isActive: boolean, label: string): void {
    this.#isActive = isActive;
    this.#record.dataset.active = String(isActive);
    element('record-label', HTMLElement).textContent = label;
  }

  async #toggle(): Promise<void> {
    if (this.#session === null) return;
    this.#record.disabled = true;
    const method = this.#isActive ? 'DELETE' : 'POST';
    const answer = await ask(`/api/sessions/${this.#session}/recording`, method);
    this.#record.disabled = this.#session === null;
    if (answer !== null) this.#tell((await answer.json()) as RecordingState);
  }

  async #take(): Promise<void> {
    if (this.#session === null) return;
    const answer = await ask(`/api/sessions/${this.#session}/snapshot.png`, 'GET');
    if (answer === null) return;
    const href = URL.createObjectURL(await answer.blob());
    createElement('a', {
      href,
      download: `faceoff-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.png`,
    }).click();
    URL.revokeObjectURL(href);
  }
}

/** Null when it was refused, which the person is told. */
async function ask(path: string, method: string): Promise<Response | null> {
  try {
    const answer = await fetch(path, { method });
    if (answer.ok) return answer;
    toast(((await answer.json()) as ErrorBody).message);
  } catch {
    toast('The server did not answer. Try again.');
  }
  return null;
}
