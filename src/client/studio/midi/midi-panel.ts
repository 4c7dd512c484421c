/** The studio's MIDI panel: knobs and keys of a MIDI device change settings. */

import type { SettingsPatch, SwapSettings } from '../../../shared/settings.ts';
import { showList, t } from '../../language/translate.ts';
import { createElement, element } from '../../lib/dom.ts';
import { storedJson, storeNote } from '../../lib/local-notes.ts';
import {
  controlText,
  learned,
  MIDI_ACTIONS,
  type MidiAction,
  type MidiMap,
  midiChange,
  midiInput,
  midiMapFrom,
} from './midi-map.ts';

/** What the panel changes. */
export interface MidiConf {
  settings(): SwapSettings | null;
  onChange(patch: SettingsPatch): void;
  onStep(by: 1 | -1): void;
}

const LABELS: Record<MidiAction, string> = {
  strength: t('Strength'),
  shape: t('Shape'),
  zoom: t('Closer by at most'),
  on: t('Swap on or off'),
  offAir: t('Off air'),
  keepEyes: t('My eyes'),
  keepMouth: t('My mouth'),
  previous: t('Previous face'),
  next: t('Next face'),
};

/**
 * Asks for MIDI only when the person wants it, and again at each visit once they did. Which control does what is learned by
 * moving it, and kept in this browser.
 */
export class MidiPanel {
  readonly #conf: MidiConf;
  readonly #connect = element('midi-connect', HTMLButtonElement);
  readonly #note = element('midi-note', HTMLParagraphElement);
  readonly #list = element('midi-list', HTMLUListElement);
  #map: MidiMap = midiMapFrom(storedJson('midi'));
  #learning: MidiAction | null = null;

  constructor(conf: MidiConf) {
    this.#conf = conf;
    element('midi', HTMLDetailsElement).hidden = !('requestMIDIAccess' in navigator);
    this.#connect.addEventListener('click', () => void this.#open());
    if (Object.keys(this.#map).length > 0) void this.#open();
  }

  async #open(): Promise<void> {
    try {
      const access = await navigator.requestMIDIAccess();
      const listen = (): void => {
        for (const input of access.inputs.values()) input.onmidimessage = ({ data }) => this.#take(data);
        const names = [...access.inputs.values()].map(({ name }) => name ?? t('a device'));
        this.#note.textContent =
          names.length === 0
            ? t('No MIDI device is connected.')
            : t('Listens to {{devices}}.', { devices: showList(names) });
      };
      access.addEventListener('statechange', listen);
      listen();
      this.#connect.hidden = true;
      this.#show();
    } catch {
      this.#note.textContent = t('The browser does not let this page use MIDI. Allow it in the site’s settings.');
    }
  }

  #take(data: Uint8Array | null): void {
    const input = data === null ? null : midiInput(data);
    if (input === null) return;
    if (this.#learning !== null) {
      // A key that is let go is not the one that is meant.
      if (input.value === 0) return;
      this.#map = learned(this.#map, input.control, this.#learning);
      storeNote('midi', JSON.stringify(this.#map));
      this.#learning = null;
      this.#show();
      return;
    }
    const action = this.#map[input.control];
    const settings = this.#conf.settings();
    if (action === undefined || settings === null) return;
    const change = midiChange(action, input.value, settings);
    if (change === null) return;
    if ('patch' in change) this.#conf.onChange(change.patch);
    else this.#conf.onStep(change.step);
  }

  #show(): void {
    this.#list.replaceChildren(...MIDI_ACTIONS.map((action) => this.#item(action)));
  }

  #item(action: MidiAction): HTMLLIElement {
    const control = Object.keys(this.#map).find((one) => this.#map[one] === action);
    const isLearning = this.#learning === action;
    const text = isLearning ? t('move it now…') : control === undefined ? t('none') : controlText(control);
    const learn = createElement('button', { type: 'button', textContent: isLearning ? t('Cancel') : t('Learn') });
    const said = { control: LABELS[action] };
    learn.setAttribute('aria-label', isLearning ? t('Cancel: {{control}}', said) : t('Learn: {{control}}', said));
    learn.addEventListener('click', () => {
      this.#learning = isLearning ? null : action;
      this.#show();
    });
    const name = createElement('span', { textContent: LABELS[action] });
    return createElement('li', {}, {}, name, createElement('output', { textContent: text }), learn);
  }
}
