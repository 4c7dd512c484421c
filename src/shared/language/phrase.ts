/** Sentences of the server that a page can say in another language. */

/** A sentence with gaps. */
export interface Phrase {
  /** The English sentence, with `{{name}}` for each value. */
  key: string;
  /** Numbers are written as the reader's language does; a phrase is translated, too. */
  values?: Readonly<Record<string, string | number | Phrase>> | undefined;
}

/** Makes a phrase. @param key a literal: a test reads it, and every language has a translation of it. */
export const phrase = (key: string, values?: Phrase['values']): Phrase =>
  values === undefined ? { key } : { key, values };

/** A phrase in English. */
export function inEnglish({ key, values = {} }: Phrase): string {
  return key.replace(/\{\{(\w+)\}\}/g, (_all, name: string) => {
    const value = values[name];
    return typeof value === 'object' ? inEnglish(value) : String(value ?? '');
  });
}

/** A sentence without gaps that crosses to pages as it is; they find its translation by it. @param english a literal: a test reads it. */
export const sentence = (english: string): string => english;
