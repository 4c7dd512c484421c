/** What a person is told before the mark is left off, and what is said of pictures that have it; for pages and server. */

import type { SettingsPatch } from '../settings.ts';

/** What the law asks, in one sentence, for the question whether to leave the mark off. */
export const DISCLOSURE_DUTY =
  'Since 2 August 2026 the EU AI Act (article 50) asks a person who shows others a face changed by AI that looks real to say so clearly, at the latest when they first see it: without the mark in the picture you have to tell them yourself.';

/** What the mark in the picture says. */
export const MARK_WORDS = 'AI face modified';

/** A change of settings as clients send it. */
export type SettingsRequest = SettingsPatch & {
  /** Needed where `badge` is false: the person has read what the law asks. */
  disclosureAcknowledged?: boolean;
};

/** Settings of a page as a request. A page whose mark is off has asked its person, or begins with the server's choice. */
export const requestOf = (settings: SettingsPatch): SettingsRequest =>
  settings.badge === false ? { ...settings, disclosureAcknowledged: true } : settings;
