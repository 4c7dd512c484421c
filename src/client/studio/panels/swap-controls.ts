/** The swap's controls: on or off, strength, shape, what of the live face is kept, which faces, and what is shown when a swap cannot be made. */

import type { FaceChoice, Fallback, SwapSettings } from '../../../shared/messages.ts';
import { element, isPressed, press } from '../../lib/dom.ts';
import { showPercent } from '../../lib/format.ts';

const SHARES = ['strength', 'shape'] as const;
const SWITCHES = ['keepEyes', 'keepMouth', 'guarded', 'badge'] as const;

export class SwapControls {
  readonly #form = element('controls', HTMLFormElement);
  readonly #on = element('on', HTMLButtonElement);
  readonly #fallback = element('fallback', HTMLSelectElement);

  constructor(onChange: (patch: Partial<SwapSettings>) => void) {
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#on.addEventListener('click', () => onChange({ on: !isPressed(this.#on) }));
    for (const key of SHARES) {
      const slider = element(key, HTMLInputElement);
      slider.addEventListener('input', () => onChange({ [key]: slider.valueAsNumber / 100 }));
    }
    for (const key of SWITCHES) {
      const box = element(key, HTMLInputElement);
      box.addEventListener('change', () => onChange({ [key]: box.checked }));
    }
    for (const radio of this.#choices())
      radio.addEventListener('change', () => onChange({ choice: radio.value as FaceChoice }));
    this.#fallback.addEventListener('change', () => onChange({ fallback: this.#fallback.value as Fallback }));
  }

  show(settings: SwapSettings): void {
    press(this.#on, settings.on ?? true);
    for (const key of SHARES) {
      const slider = element(key, HTMLInputElement);
      slider.value = String(Math.round(settings[key] * 100));
      slider.style.setProperty('--share', `${slider.value}%`);
      slider.setAttribute('aria-valuetext', showPercent(settings[key]));
      element(`${key}-value`, HTMLOutputElement).textContent = showPercent(settings[key]);
    }
    for (const key of SWITCHES) element(key, HTMLInputElement).checked = settings[key] === true;
    for (const radio of this.#choices()) radio.checked = radio.value === settings.choice;
    this.#fallback.value = settings.fallback;
  }

  #choices(): NodeListOf<HTMLInputElement> {
    return this.#form.querySelectorAll<HTMLInputElement>('input[name="choice"]');
  }
}
