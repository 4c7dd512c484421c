/**
 * Makes the page speak the language that its browser asks for. The first import of every page's script: what comes after it
 * is evaluated in that language. English needs no request; where the texts do not come in time, the page stays English.
 */

import { direction, type Language, languageOf, localeFor, speak, type Texts } from './translate.ts';
import { translateTexts } from './translate-document.ts';

/** A page does not wait longer for its texts. */
const TEXTS_WITHIN_MS = 3000;

/** The texts lie beside the page's script, under whatever path a proxy serves it. */
async function textsOf(language: Language): Promise<Texts | null> {
  try {
    const signal = AbortSignal.timeout(TEXTS_WITHIN_MS);
    const answer = await fetch(new URL(`languages/${language}.json`, import.meta.url), { signal });
    return answer.ok ? ((await answer.json()) as Texts) : null;
  } catch {
    return null;
  }
}

const locale = localeFor(navigator.languages);
const language = languageOf(locale) ?? 'en';
const texts = language === 'en' ? null : await textsOf(language);
if (texts !== null) {
  await speak(locale, texts);
  Object.assign(document.documentElement, { lang: language, dir: direction() });
  translateTexts(document.documentElement);
} else if (language === 'en') {
  await speak(locale);
}
