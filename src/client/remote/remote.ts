/** The page `/remote/NAME`: a remote control of one stream, for a phone. It speaks REST alone, and has no camera. */

import '../language/page-language.ts';

import type { FaceInfo, PresetInfo } from '../../shared/messages.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';
import { errorText } from '../language/error-texts.ts';
import { t } from '../language/translate.ts';
import { createElement, element, isPressed, press } from '../lib/dom.ts';
import { showPercent } from '../lib/format.ts';
import { serverUrl } from '../lib/server-url.ts';
import { toast } from '../lib/toast.ts';
import { keepAwake } from '../lib/wake-lock.ts';

const LOOK_EVERY_MS = 1500;
/** Faces and presets are read anew after so many looks. */
const LISTS_EVERY = 6;
/** While the slider moves, strengths go out no more often than this. */
const STRENGTH_EVERY_MS = 100;

const name = location.pathname.match(/([^/]*)\/?$/)?.[1] ?? '';
const on = element('on', HTMLButtonElement);
const offAir = element('off-air', HTMLButtonElement);
const strength = element('strength', HTMLInputElement);
let faces: FaceInfo[] = [];
let presets: PresetInfo[] = [];
let settings: SwapSettings | null = null;
let looks = 0;
/** Changes that were sent and not answered: what is read meanwhile is older. */
let changing = 0;
let strengthTimer: ReturnType<typeof setTimeout> | undefined;

/** @returns the reply; null where the stream is not there. @throws Error with a sentence for people. */
async function ask<T>(path: string, method = 'GET', body?: SettingsPatch): Promise<T | null> {
  const reply = await fetch(serverUrl(path), { method, ...(body && { body: JSON.stringify(body) }) }).catch(() => {
    throw new Error(t('The server does not answer.'));
  });
  // The server answers a reload with the login page.
  if (reply.status === 401) location.reload();
  if (reply.ok) return (await reply.json()) as T;
  const { code = '', message = '' } = (await reply.json().catch(() => ({}))) as { code?: string; message?: string };
  if (code === 'unknown_stream') return null;
  if (message !== '') throw new Error(errorText({ code, message }));
  throw new Error(t('The server answered {{status}}.', { status: reply.status }));
}

const at = (what: string): string => `/api/streams/${name}/${what}`;

async function change(what: string, method: 'POST' | 'PATCH', patch?: SettingsPatch): Promise<void> {
  changing++;
  try {
    show(await ask<SwapSettings>(at(what), method, patch));
  } catch (error) {
    toast((error as Error).message);
  } finally {
    changing--;
  }
}

async function look(): Promise<void> {
  try {
    const now = await ask<SwapSettings>(at('settings'));
    if (changing === 0) show(now);
    if (looks++ % LISTS_EVERY === 0) {
      [faces, presets] = [(await ask<FaceInfo[]>('/api/faces')) ?? [], (await ask<PresetInfo[]>('/api/presets')) ?? []];
      showLists();
    }
  } catch (error) {
    say('away', (error as Error).message);
  }
  setTimeout(() => void look(), LOOK_EVERY_MS);
}

function say(state: 'live' | 'waiting' | 'away', text: string): void {
  document.body.dataset.state = state;
  const line = element('state', HTMLElement);
  if (line.textContent !== text) line.textContent = text;
  keepAwake(state === 'live');
}

/** @param now null while no such stream is there. */
function show(now: SwapSettings | null): void {
  settings = now;
  if (now === null) say('waiting', t('Waits for the stream'));
  else {
    say('live', now.offAir ? t('Off air') : now.on ? t('Live, swapped') : t('Live, as it is'));
    press(on, now.on);
    press(offAir, now.offAir);
    on.textContent = now.on ? t('Swap is on') : t('Swap is off');
    if (strengthTimer === undefined) strength.value = String(Math.round(100 * now.strength));
    element('strength-value', HTMLOutputElement).textContent = showPercent(now.strength);
  }
  mark();
}

function showLists(): void {
  const card = ({ id, name: label, thumbnail, consentDue }: FaceInfo): HTMLLIElement => {
    const image = createElement('img', { src: serverUrl(thumbnail), alt: '', loading: 'lazy', draggable: false });
    const named = createElement('span', { textContent: label, dir: 'auto', translate: false });
    const button = createElement('button', { type: 'button', disabled: consentDue }, { 'data-face': id }, image, named);

    button.addEventListener('click', () => void change('settings', 'PATCH', { face: id }));
    return createElement('li', {}, {}, button);
  };
  const key = ({ name: label }: PresetInfo): HTMLLIElement => {
    const button = createElement('button', { type: 'button', textContent: label, dir: 'auto', translate: false });
    button.addEventListener('click', () => void change(`preset/${encodeURIComponent(label)}`, 'POST'));
    return createElement('li', {}, {}, button);
  };
  const before = element('faces', HTMLUListElement).dataset.shown;
  const shown = JSON.stringify([faces, presets]);
  // Elements stay while nothing is new, so that no tap meets one that is being replaced.
  if (before === shown) return;
  element('faces', HTMLUListElement).dataset.shown = shown;
  element('faces', HTMLUListElement).replaceChildren(...faces.map(card));
  element('presets', HTMLUListElement).replaceChildren(...presets.map(key));
  element('no-presets', HTMLElement).hidden = presets.length > 0;
  mark();
}

/** Marks the face that is worn. */
function mark(): void {
  for (const button of element('faces', HTMLUListElement).querySelectorAll<HTMLButtonElement>('button'))
    press(button, settings !== null && button.dataset.face === settings.face);
}

element('stream', HTMLElement).textContent = name;
on.addEventListener('click', () => void change('settings', 'PATCH', { on: !isPressed(on) }));
offAir.addEventListener('click', () => void change('settings', 'PATCH', { offAir: !isPressed(offAir) }));
element('next', HTMLButtonElement).addEventListener('click', () => void change('face/next', 'POST'));
element('previous', HTMLButtonElement).addEventListener('click', () => void change('face/previous', 'POST'));
strength.addEventListener('input', () => {
  element('strength-value', HTMLOutputElement).textContent = showPercent(strength.valueAsNumber / 100);
  strengthTimer ??= setTimeout(() => {
    strengthTimer = undefined;
    void change('settings', 'PATCH', { strength: strength.valueAsNumber / 100 });
  }, STRENGTH_EVERY_MS);
});
void look();
