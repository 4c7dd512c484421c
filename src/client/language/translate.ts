/** The texts of the pages in the language of their reader. Free of the DOM, for tests. */

import i18next from 'i18next';
import type { Phrase } from '../../shared/language/phrase.ts';
import english from './texts/en.json' with { type: 'json' };

/** The languages that the pages speak, the one of the code first. */
export const LANGUAGES = ['en', 'de', 'es', 'fr', 'zh', 'ja'] as const;
/** One of LANGUAGES, by its ISO 639-1 code. */
export type Language = (typeof LANGUAGES)[number];

/** Texts of a language: each English sentence with its translation. Plurals end in `_one`, `_other` and so on. */
export type Texts = Readonly<Record<string, string>>;

/** What stands for `{{name}}` in a text. `count` chooses the plural; other numbers are written as the language does. */
export type TextValues = Readonly<Record<string, string | number>>;

const texts = i18next.createInstance();
// A key is an English sentence, with its dots and colons. Nothing is escaped: texts become text nodes, never HTML.
void texts.init({
  lng: 'en',
  fallbackLng: 'en',
  initAsync: false,
  resources: { en: { translation: english } },
  keySeparator: false,
  nsSeparator: false,
  interpolation: { escapeValue: false },
});

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufefc]/;

/** The language with its region (`de-CH`), for numbers and dates. */
let locale = 'en';

/** The language that is spoken now. */
export const language = (): Language => texts.language as Language;

/** The language of a locale; null where the pages do not speak it, whatever its region and script. */
export const languageOf = (tag: string): Language | null =>
  LANGUAGES.find((one) => one === tag.toLowerCase().split('-')[0]) ?? null;

/** The first wanted locale whose language the pages speak; English where none is. */
export const localeFor = (wanted: readonly string[]): string => wanted.find((tag) => languageOf(tag) !== null) ?? 'en';

/** Speaks the language of a locale from now on. @param its texts of the language; a sentence that they lack is said in English. */
export async function speak(tag: string, its: Texts = {}): Promise<void> {
  const chosen = languageOf(tag) ?? 'en';
  if (chosen !== 'en') texts.addResourceBundle(chosen, 'translation', its);
  await texts.changeLanguage(chosen);
  locale = tag;
}

/** The direction in which the language is written. */
export const direction = (): 'ltr' | 'rtl' => texts.dir();

/**
 * A sentence in the reader's language.
 * @param text the English sentence, as a literal: a test reads it. A plural has its English forms in texts/en.json.
 */
export function t(text: string, values: TextValues = {}): string {
  const shown = Object.entries(values).map(([name, value]) => {
    if (name === 'count') return [name, value] as const;
    return [name, typeof value === 'string' ? isolated(value) : showNumber(value)] as const;
  });
  // Values may be what people typed: nothing in them is looked up.
  const options = { replace: Object.fromEntries(shown), nest: false };
  return texts.t(text, values.count === undefined ? options : { ...options, count: Number(values.count) });
}

/** A value that does not turn the words around it, where it or the page is written from right to left. */
const isolated = (value: string): string =>
  direction() === 'rtl' || RIGHT_TO_LEFT.test(value) ? `\u2068${value}\u2069` : value;

/** What the server says, in the reader's language. Its English sentence where the language lacks it. */
export function say({ key, values = {} }: Phrase): string {
  const said = Object.entries(values).map(
    ([name, value]) => [name, typeof value === 'object' ? say(value) : value] as const,
  );
  return t(key, Object.fromEntries(said));
}

/** A number as the language writes it, without groups of thousands. @param digits after the point, all of them; up to three by default. */
export function showNumber(value: number, digits?: number): string {
  const fraction = digits === undefined ? {} : { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale, { useGrouping: false, ...fraction }).format(value);
}

/** Names in a row, as the language lists them: `A, B and C`. */
export const showList = (names: readonly string[]): string => new Intl.ListFormat(locale).format(names);

/** A day as the language writes it. @param at ISO 8601. */
export const showDay = (at: string): string => new Intl.DateTimeFormat(locale).format(new Date(at));
