/** The studio's state line, notice and Start and Stop buttons. */

import { element } from '../lib/dom.ts';
import { type NoticeAction, noticeOf, stateText } from '../notices/stream-notices.ts';
import { isActive, type Situation } from '../peer/stream-state.ts';

/** Shows one situation at a time; the page says which. */
export class SituationDisplay {
  readonly #start = element('start', HTMLButtonElement);
  readonly #stop = element('stop', HTMLButtonElement);
  readonly #action = element('notice-action', HTMLButtonElement);

  /** @param actions what the notice's button does. */
  constructor(actions: Record<NoticeAction, () => void>) {
    this.#action.addEventListener('click', () => actions[this.#action.dataset.does as NoticeAction]());
  }

  show(situation: Situation): void {
    const focused = document.activeElement;
    document.body.dataset.state = situation.state;
    document.body.dataset.reason = situation.reason;
    element('state', HTMLElement).textContent = stateText(situation);
    const notice = noticeOf(situation);
    element('notice', HTMLDivElement).hidden = notice === null;
    if (notice !== null) {
      element('notice-title', HTMLElement).textContent = notice.title;
      element('notice-text', HTMLElement).textContent = notice.text;
      this.#action.hidden = notice.action === undefined;
      this.#action.textContent = notice.action?.label ?? '';
      this.#action.dataset.does = notice.action?.does ?? '';
    }
    this.#start.hidden = isActive(situation.state);
    this.#stop.hidden = !isActive(situation.state);
    // The button that was pressed may just have been hidden; the focus moves to its successor.
    if (focused?.closest('[hidden]')) (this.#start.hidden ? this.#stop : this.#start).focus();
  }
}
