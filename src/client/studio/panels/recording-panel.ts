/** The recording panel. */

import type { ErrorBody, RecordingState, SessionStats } from '../../../shared/messages.ts';
import { errorText } from '../../language/error-texts.ts';
import { t } from '../../language/translate.ts';
import { createElement, element } from '../../lib/dom.ts';
import { showBytes, showTime } from '../../lib/format.ts';
import { serverUrl } from '../../lib/server-url.ts';
import { toast } from '../../lib/toast.ts';

/** Records the swapped picture on the server, and downloads snapshots of it. */
export class RecordingPanel {
  readonly #record = element('record', HTMLButtonElement);
  readonly #snapshot = element('snapshot', HTMLButtonElement);
  readonly #note = element('record-note', HTMLElement);
  readonly #files = element('record-files', HTMLUListElement);
  #session: string | null = null;
  #isActive = false;
  /** Start time of the recording whose failure was reported last. */
  #reported: string | null = null;

  constructor() {
    this.#record.addEventListener('click', () => void this.#toggle());
    this.#snapshot.addEventListener('click', () => void this.#downloadSnapshot());
    this.clear();
  }

  /** Shows the session's recording; called once a second while the picture runs. */
  show({ session, recording }: SessionStats): void {
    this.#session = session;
    this.#snapshot.disabled = false;
    this.#record.disabled = false;
    if (recording !== undefined) this.#showState(recording);
  }

  /** The session is over, and its recording with it; the server keeps the files. */
  clear(): void {
    this.#session = null;
    this.#snapshot.disabled = true;
    this.#record.disabled = true;
    this.#showButton(false, t('Record'));
  }

  #showState(state: RecordingState): void {
    const { active, lastedMs, bytes, dropped, files, folder, error, startedAt } = state;
    this.#showButton(active, active ? t('Stop {{time}}', { time: showTime(lastedMs) }) : t('Record'));
    this.#files.replaceChildren(
      ...files.map((file) =>
        createElement(
          'li',
          {},
          {},
          createElement('a', {
            href: serverUrl(`/api/recordings/${file}`),
            textContent: file,
            download: file,
            translate: false,
            dir: 'ltr',
          }),
        ),
      ),
    );
    const kept = { bytes: showBytes(bytes), folder };
    this.#note.textContent =
      dropped > 0
        ? t('{{bytes}} in {{folder}}, {{count}} pictures left out', { ...kept, count: dropped })
        : t('{{bytes}} in {{folder}}', kept);
    if (active || error === null || this.#reported === startedAt) return;
    this.#reported = startedAt;
    toast(t('The recording ended. {{why}}', { why: errorText(error) }));
  }

  #showButton(isActive: boolean, label: string): void {
    this.#isActive = isActive;
    this.#record.dataset.active = String(isActive);
    element('record-label', HTMLElement).textContent = label;
  }

  async #toggle(): Promise<void> {
    if (this.#session === null) return;
    this.#record.disabled = true;
    const method = this.#isActive ? 'DELETE' : 'POST';
    const answer = await request(serverUrl(`/api/sessions/${this.#session}/recording`), method);
    this.#record.disabled = this.#session === null;
    if (answer !== null) this.#showState((await answer.json()) as RecordingState);
  }

  async #downloadSnapshot(): Promise<void> {
    if (this.#session === null) return;
    const answer = await request(serverUrl(`/api/sessions/${this.#session}/snapshot.png`), 'GET');
    if (answer === null) return;
    const href = URL.createObjectURL(await answer.blob());
    createElement('a', {
      href,
      download: `faceoff-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.png`,
    }).click();
    URL.revokeObjectURL(href);
  }
}

/** Sends a request; a refusal is shown as a toast. @returns null where it was refused. */
async function request(path: string, method: string): Promise<Response | null> {
  try {
    const answer = await fetch(path, { method });
    if (answer.ok) return answer;
    toast(errorText((await answer.json()) as ErrorBody));
  } catch {
    toast(t('The server did not answer. Try again.'));
  }
  return null;
}
