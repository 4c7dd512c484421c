import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { errorText } from '../../../../src/client/language/error-texts.ts';
import {
  direction,
  language,
  localeFor,
  say,
  showDay,
  showList,
  showNumber,
  speak,
  t,
} from '../../../../src/client/language/translate.ts';
import { root } from '../../../../src/lib/package-root.ts';

afterEach(() => speak('en'));

describe('the language', () => {
  test.each([
    [['de-CH', 'en'], 'de-CH'],
    [['pt-BR', 'es-MX', 'en'], 'es-MX'],
    [['zh-Hant-TW'], 'zh-Hant-TW'],
    [['pt', 'ar'], 'en'],
    [[], 'en'],
  ])('for a browser that wants %j is that of %s', (wanted, locale) => {
    expect(localeFor(wanted)).toBe(locale);
  });

  test('is English until another one is spoken', async () => {
    expect([language(), t('Save')]).toEqual(['en', 'Save']);
    await speak('de-CH', { Save: 'Speichern' });
    expect([language(), t('Save'), t('Delete')]).toEqual(['de', 'Speichern', 'Delete']);
  });
});

describe('a sentence', () => {
  test('has its values, and numbers as the language writes them', async () => {
    expect(t('{{number}} ms', { number: 12.5 })).toBe('12.5 ms');
    await speak('de', {});
    expect([t('{{number}} ms', { number: 1234.5 }), showNumber(2, 2)]).toEqual(['1234,5 ms', '2,00']);
    expect(showDay('2026-11-30T12:00:00Z')).toBe('30.11.2026');
  });

  test('lists names as the language does', async () => {
    expect([['a'], ['a', 'b', 'c']].map(showList)).toEqual(['a', 'a, b, and c']);
    await speak('zh', {});
    expect(showList(['a', 'b', 'c'])).toBe('a、b和c');
  });

  test('has the plural of its language', async () => {
    expect([1, 2].map((count) => t('{{count}} photos', { count }))).toEqual(['1 photo', '2 photos']);
    await speak('ja', { '{{count}} photos_other': '写真{{count}}枚' });
    expect([1, 2].map((count) => t('{{count}} photos', { count }))).toEqual(['写真1枚', '写真2枚']);
  });

  test('shows what people typed as they typed it', () => {
    for (const name of ['<b>', '{{count}}', '$t(Save)', '%s', '$&'])
      expect(t('Face added: {{name}}', { name })).toBe(`Face added: ${name}`);
  });

  test('is not turned by a name that is written from right to left', () => {
    expect(t('Face added: {{name}}', { name: 'دانا' })).toBe('Face added: \u2068دانا\u2069');
    expect(direction()).toBe('ltr');
  });

  test('of the server is said with its parts', async () => {
    const said = { key: 'A{{effect}}; b.', values: { effect: { key: ', so {{fps}}', values: { fps: 1.5 } } } };
    expect(say(said)).toBe('A, so 1.5; b.');
    await speak('de', { 'A{{effect}}; b.': 'Ä{{effect}}; b.', ', so {{fps}}': ', also {{fps}}' });
    expect(say(said)).toBe('Ä, also 1,5; b.');
    expect(say({ key: 'What no language has.' })).toBe('What no language has.');
  });
});

describe('a refusal', () => {
  test('is the server’s sentence in English', () => {
    expect(errorText({ code: 'server_full', message: 'All 4 places are taken.' })).toBe('All 4 places are taken.');
  });

  test('is that of its code in another language, with the server’s words where they tell more', async () => {
    await speak('fr', { '{{sentence}} The server says: {{message}}': '{{sentence}} Le serveur dit : {{message}}' });
    expect(errorText({ code: 'face_turned', message: 'Turned.' })).toMatch(/^The face in this picture is turned/);
    expect(errorText({ code: 'bad_settings', message: 'zoom is 3.' })).toMatch(/ Le serveur dit : zoom is 3\.$/);
    expect(errorText({ code: 'a_newer_one', message: 'What it says.' })).toBe('What it says.');
  });
});

describe('the scripts of the pages', () => {
  const read = (file: string): string => readFileSync(path.join(root, 'src/client', file), 'utf8');

  test.each(['studio', 'call', 'player', 'remote', 'login', 'detector'])('%s begins with its language', (page) => {
    const [, first] = /^import [^']*'([^']+)'/m.exec(read(`${page}/${page}.ts`)) ?? [];
    expect(first).toBe('../language/page-language.ts');
  });

  test('that come later, and the page of the API, do not carry the language a second time', () => {
    const reached = (file: string, before: Set<string> = new Set()): Set<string> => {
      if (before.has(file)) return before;
      before.add(file);
      for (const [, to] of read(file).matchAll(/^(?:import|export) (?!type)[^;]*?'(\.[^']+)';/gm)) {
        const next = path.posix.join(path.posix.dirname(file), to!);
        if (!next.startsWith('..') && next.endsWith('.ts')) reached(next, before);
      }
      return before;
    };
    expect([...reached('studio/studio.ts')]).toContain('language/translate.ts');
    for (const script of ['cluster/livekit-pages.ts', 'docs/docs.ts', 'detector/detector-worker.ts'])
      expect([...reached(script)].filter((file) => file.startsWith('language/'))).toEqual([]);
  });
});
