/** The controls of the swap settings in the studio. */

import {
  type FaceChoice,
  type Fallback,
  FLAG_KEYS,
  type SettingsPatch,
  SHARE_KEYS,
  type SwapSettings,
} from '../../../shared/settings.ts';
import { element, isPressed, press } from '../../lib/dom.ts';
import { showPercent } from '../../lib/format.ts';
import { changeMark } from '../../lib/mark-question.ts';

/** Settings with a check box; `on` and `offAir` have buttons. */
const CHECK_BOXES = FLAG_KEYS.filter((key) => key !== 'on' && key !== 'offAir');

/**
 * Shows the settings and tells each change: on or off, strength, shape, what of the live face is kept, which faces are
 * swapped, and what is shown when a swap cannot be made. Elements are found by the settings' names as ids.
 */
export class SwapControls {
  readonly #form = element('controls', HTMLFormElement);
  readonly #on = element('on', HTMLButtonElement);
  readonly #offAir = element('off-air', HTMLButtonElement);
  readonly #fallback = element('fallback', HTMLSelectElement);

  constructor(onChange: (patch: SettingsPatch) => void) {
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#on.addEventListener('click', () => onChange({ on: !isPressed(this.#on) }));
    this.#offAir.addEventListener('click', () => onChange({ offAir: !isPressed(this.#offAir) }));
    for (const key of SHARE_KEYS) {
      const slider = element(key, HTMLInputElement);
      slider.addEventListener('input', () => onChange({ [key]: slider.valueAsNumber / 100 }));
    }
    for (const key of CHECK_BOXES) {
      const box = element(key, HTMLInputElement);
      if (key !== 'badge') box.addEventListener('change', () => onChange({ [key]: box.checked }));
    }
    const mark = element('badge', HTMLInputElement);
    mark.addEventListener('change', () => void changeMark(mark, onChange));
    for (const radio of this.#choices())
      radio.addEventListener('change', () => onChange({ choice: radio.value as FaceChoice }));
    this.#fallback.addEventListener('change', () => onChange({ fallback: this.#fallback.value as Fallback }));
  }

  /** Sets every control to the settings; tells no change. */
  show(settings: SwapSettings): void {
    press(this.#on, settings.on);
    press(this.#offAir, settings.offAir);
    for (const key of SHARE_KEYS) {
      const slider = element(key, HTMLInputElement);
      slider.value = String(Math.round(settings[key] * 100));
      slider.style.setProperty('--share', `${slider.value}%`);
      slider.setAttribute('aria-valuetext', showPercent(settings[key]));
      element(`${key}-value`, HTMLOutputElement).textContent = showPercent(settings[key]);
    }
    for (const key of CHECK_BOXES) element(key, HTMLInputElement).checked = settings[key];
    for (const radio of this.#choices()) radio.checked = radio.value === settings.choice;
    this.#fallback.value = settings.fallback;
  }

  #choices(): NodeListOf<HTMLInputElement> {
    return this.#form.querySelectorAll<HTMLInputElement>('input[name="choice"]');
  }
}
