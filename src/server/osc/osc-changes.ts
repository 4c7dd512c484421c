/** What OSC messages change: `/faceoff/SETTING VALUE`, `/faceoff/face NAME`, `/faceoff/preset NAME`, `/faceoff/toggle/SWITCH`. Pure. */

import type { FaceInfo } from '../../shared/messages.ts';
import { SETTINGS, type SettingKey, type SettingsPatch, type SwapSettings } from '../../shared/settings.ts';
import { SWITCHES, stepFace, toggled } from '../../shared/steps.ts';
import type { OscMessage } from './osc-packet.ts';

/** What messages choose from. */
export interface OscChoices {
  settings: SwapSettings;
  faces: readonly FaceInfo[];
  /** @throws FaceOffError `unknown_preset` (404). */
  preset(name: string): SettingsPatch;
}

const PREFIX = '/faceoff/';
/** In place of a face's name. */
const NO_FACE = /^(none|)$/i;

/**
 * The change that a message asks for; null where its address or its value means nothing here. The patch is not checked yet.
 * @throws FaceOffError `unknown_preset` (404).
 */
export function changeOf({ address, args }: OscMessage, choices: OscChoices): SettingsPatch | null {
  if (!address.startsWith(PREFIX)) return null;
  const [what = '', more] = address.slice(PREFIX.length).split('/');
  const value = args[0];
  if (what === 'toggle') {
    const name = SWITCHES.find((one) => one === (more ?? 'on'));
    // A button sends 1 when it is pressed and 0 when it is let go.
    return name === undefined || isReleased(value) ? null : toggled(choices.settings, name);
  }
  if (what === 'preset') return typeof value === 'string' ? choices.preset(value) : null;
  if (what === 'face' && (more === 'next' || more === 'previous')) {
    if (isReleased(value) || choices.settings.choice === 'mapped') return null;
    return { face: stepFace(choices.faces, choices.settings.face, more === 'next' ? 1 : -1) };
  }
  if (more !== undefined) return null;
  if (what === 'face') return typeof value === 'string' ? faceNamed(value, choices.faces) : null;
  return Object.hasOwn(SETTINGS, what) ? settingOf(what as SettingKey, value) : null;
}

const isReleased = (value: unknown): boolean => value === 0 || value === false;

function faceNamed(name: string, faces: readonly FaceInfo[]): SettingsPatch | null {
  if (NO_FACE.test(name)) return { face: null };
  const wanted = name.toLowerCase();
  const found = faces.find(({ id }) => id === name) ?? faces.find((face) => face.name.toLowerCase() === wanted);
  return found === undefined ? null : { face: found.id };
}

function settingOf(key: SettingKey, value: unknown): SettingsPatch | null {
  const { values } = SETTINGS[key];
  switch (values.kind) {
    case 'flag':
      if (typeof value === 'number') return { [key]: value >= 0.5 };
      return typeof value === 'boolean' ? { [key]: value } : null;
    case 'share':
      return typeof value === 'number' && Number.isFinite(value) ? { [key]: Math.min(1, Math.max(0, value)) } : null;
    case 'whole':
      return typeof value === 'number' && Number.isFinite(value)
        ? { [key]: Math.min(values.most, Math.max(values.least, Math.round(value))) }
        : null;
    case 'option':
    case 'name':
    case 'colour':
      return typeof value === 'string' ? { [key]: value } : null;
    case 'faces':
      return null;
  }
}
