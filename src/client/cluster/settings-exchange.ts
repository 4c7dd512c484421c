/** Settings of a page and of the jobs that swap its camera. Free of the DOM, for tests. */

import { areIn, type JobState } from '../../shared/cluster/job-state.ts';
import { requestOf, type SettingsRequest } from '../../shared/duties/disclosure-duty.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';

/** How settings go out, and what the page is told. */
export interface ExchangeConf {
  /** Writes the publisher's attribute. */
  send(settings: SettingsRequest): void;
  /** A change goes out; exactly one `onSettings` or `onRefused` follows. */
  onSent(): void;
  /** A job has what was asked for, or, with `elsewhere`, says what holds without having been asked. */
  onSettings(settings: SwapSettings, elsewhere: boolean): void;
  /** @param problem a sentence for people. */
  onRefused(problem: string): void;
}

/** A job answers within a second. What another program set at the same moment may have replaced what this page sent. */
const ANSWERED_WITHIN_MS = 3000;

/**
 * A publisher's attribute holds all that it chose, so that a job that takes over has the same. An attribute may overtake
 * another: the next change waits until a job answered the one before.
 */
export class SettingsExchange {
  readonly #conf: ExchangeConf;
  #wanted: SettingsPatch;
  /** What no job has answered yet. */
  #sent: SettingsPatch | null;
  #sentAtMs = performance.now();
  /** What was changed and not sent yet. */
  #changed: SettingsPatch | null = null;

  /** @param first what the page's token holds already, and no job has answered yet. */
  constructor(first: SettingsPatch, conf: ExchangeConf) {
    this.#conf = conf;
    this.#wanted = first;
    this.#sent = first;
  }

  /** The page wants other settings. Sent by `flush`. */
  change(patch: SettingsPatch): void {
    this.#wanted = { ...this.#wanted, ...patch };
    this.#changed = { ...this.#changed, ...patch };
  }

  /** Sends what changed, if the change before was answered. */
  flush(): void {
    const isAnswered = this.#sent === null || performance.now() - this.#sentAtMs > ANSWERED_WITHIN_MS;
    if (this.#changed === null || !isAnswered) return;
    this.#changed = null;
    this.#sent = this.#wanted;
    this.#sentAtMs = performance.now();
    this.#conf.onSent();
    this.#conf.send(requestOf(this.#wanted));
  }

  /** A job said what holds. @param text its attribute. */
  heard(text: string): void {
    const { settings, problem } = JSON.parse(text) as JobState;
    const sent = this.#sent;
    if (problem !== undefined) {
      // What was refused must not be asked for again with the next change.
      if (this.#changed === null) this.#wanted = settings;
      this.#sent = null;
      if (sent !== null) this.#conf.onRefused(problem);
    } else if (sent === null) {
      // A page's next change must not take back what a desk or a phone changed.
      this.#wanted = { ...settings, ...this.#changed };
      this.#conf.onSettings(settings, true);
    } else if (areIn(sent, settings)) {
      this.#sent = null;
      this.#conf.onSettings(settings, false);
    }
    this.flush();
  }
}
