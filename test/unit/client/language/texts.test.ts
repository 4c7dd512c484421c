/** Every language has every text of the pages, and no other: nothing missing, nothing stale, nothing that lost a value. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { LANGUAGES, type Language } from '../../../../src/client/language/translate.ts';
import { root } from '../../../../src/lib/package-root.ts';
import { pageTexts, textsOfCode, textsOfHtml } from '../../../support/page-texts.ts';

const FOLDER = path.join(root, 'src/client/language/texts');
const read = (language: string): Record<string, string> =>
  JSON.parse(readFileSync(path.join(FOLDER, `${language}.json`), 'utf8')) as Record<string, string>;

/** Texts with words that are the same in a language. */
const SAME: Readonly<Record<Exclude<Language, 'en'>, readonly string[]>> = {
  de: ['Live', 'MIDI', 'Name', 'Start', 'Token', 'fps', 'ms', '{{bytes}} in {{folder}}', '{{number}} fps'],
  es: ['MIDI', 'Token', 'fps', 'ms', '{{number}} fps'],
  fr: ['MIDI', 'Machine', 'ms', 'studio', '{{count}} photos'],
  zh: ['0 ms', 'MIDI', 'fps', 'ms', '{{number}} GB', '{{number}} MB', '{{number}} fps', '{{number}} ms'],
  ja: [
    '0 ms',
    'MIDI',
    'fps',
    'ms',
    '{{number}} GB',
    '{{number}} MB',
    '{{number}} fps',
    '{{number}} kB',
    '{{number}} ms',
  ],
};

const { texts, unreadable } = pageTexts();
const english = read('en');
const plurals = [...texts].filter((text) => `${text}_other` in english);

/** The keys that a language has, each with the English text that it stands for. */
function keysOf(language: string): Map<string, string> {
  const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
  const single = [...texts].filter((text) => !plurals.includes(text)).map((text) => [text, text] as const);
  const several = plurals.flatMap((text) => forms.map((form) => [`${text}_${form}`, text] as const));
  return new Map([...single, ...several]);
}

const valuesIn = (text: string): string[] => [...new Set(text.match(/\{\{\w+\}\}/g))].sort();

test('every text of the code is one that can be read', () => {
  expect(unreadable).toEqual([]);
  expect(texts.size).toBeGreaterThan(500);
});

test('English has the forms of plurals, and no other text', () => {
  const forms = plurals.flatMap((text) => [`${text}_one`, `${text}_other`]);
  expect(Object.keys(english).sort()).toEqual(forms.sort());
  const counted = [...texts].filter((text) => text.includes('{{count}}'));
  expect(counted.filter((text) => !plurals.includes(text))).toEqual([]);
});

test('there is a file for each language', () => {
  expect(readdirSync(FOLDER).sort()).toEqual(LANGUAGES.map((language) => `${language}.json`).sort());
});

describe.each(LANGUAGES.filter((one) => one !== 'en'))('the texts in %s', (language) => {
  const own = read(language);
  const keys = keysOf(language);

  test('are those of the pages', () => {
    expect({
      missing: [...keys.keys()].filter((key) => !(key in own)),
      stale: Object.keys(own).filter((key) => !keys.has(key)),
    }).toEqual({ missing: [], stale: [] });
  });

  test('have the values of the English ones', () => {
    // The form for one may say the number in words.
    const wrong = Object.entries(own).filter(([key, text]) => {
      const wanted = valuesIn(keys.get(key) ?? key);
      const without = key.endsWith('_one') ? wanted.filter((value) => value !== '{{count}}') : wanted;
      const has = valuesIn(text).join();
      return has !== wanted.join() && has !== without.join();
    });
    expect(wrong).toEqual([]);
  });

  test('are not empty, and have no space at their ends, but clauses that begin with a comma or semicolon', () => {
    const isClause = (key: string): boolean => /^[,;]/.test(key);
    const wrong = ([key, text]: [string, string]): boolean =>
      text.trim() === '' || (isClause(key) ? text.trimEnd() : text.trim()) !== text;
    expect(Object.entries(own).filter(wrong)).toEqual([]);
  });

  test('keep what is a name, a setting, a file or a command', () => {
    const NAMES =
      /FaceOff|OBS|WebRTC|HTTPS|`[^`]+`|\b\w+\.(?:md|yaml)\b|\b[a-z]+\.[a-z]+[A-Z]?\w*(?=[^\w]|$)|“AI face modified”|127\.0\.0\.1|FACEOFF_\w+/g;
    const kept = (key: string): string[] =>
      [...(keys.get(key) ?? '').matchAll(NAMES)].map(([name]) => name.replace(/[“”]/g, ''));
    const lost = Object.entries(own).flatMap(([key, text]) =>
      kept(key)
        .filter((name) => !text.includes(name))
        .map((name) => `${name}: ${text}`),
    );
    expect(lost).toEqual([]);
  });

  test('are translations', () => {
    const same = Object.entries(own).filter(([key, text]) => text === keys.get(key));
    const words = (text: string): boolean => /\p{L}/u.test(text.replace(/\{\{\w+\}\}/g, ''));
    const known = SAME[language];
    expect([...new Set(same.map(([, text]) => text).filter(words))].sort()).toEqual([...known].sort());
  });
});

describe('texts are found', () => {
  test('in calls of code, but for those that are put together', () => {
    const code = "const a: string = t('One.', { b: 1 }); t(a + b); x.t('no'); phrase('Three.'); t(MARK_WORDS);";
    const found = textsOfCode(code, 'a.ts');
    expect([...found.texts]).toEqual(['One.', 'Three.', 'AI face modified']);
    expect(found.unreadable).toHaveLength(1);
  });

  test('in HTML: texts and attributes, but for what stays as it is', () => {
    const html =
      '<p title="A">B <b>C\n  d</b> 12 <img alt="E"><code translate="no" title="F">G <i>H</i></code> I</p><script>J</script>';
    expect([...textsOfHtml(html)]).toEqual(['A', 'B', 'C d', 'E', 'I']);
  });
});
