/** JSON values with one to four things wrong, as text: members of other types, missing, doubled, unknown or nested. */

import { mutatedText, WORDS } from './mutate-text.ts';
import type { Random } from './random.ts';

/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const VALUES: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  1,
  2,
  1e308,
  -1e308,
  1e-320,
  2 ** 53,
  '',
  [],
  {},
  [null],
  [[]],
  { length: 1 },
  { length: { toString: 1 } },
  { toString: 1 },
  { toJSON: 1 },
  { constructor: { prototype: null } },
];

/** A key that awaiting looks at, and that no literal here may have. */
const THEN: Json = Object.fromEntries([['then', 1]]);
/** How deep a value is nested where it is nested on purpose. */
const DEPTH = 2000;

/** The text of one of the samples, changed; in one of eight cases the text itself is changed, too. */
export function mutatedJson(samples: readonly Json[], random: Random, words: readonly string[] = []): string {
  let value = structuredClone(random.one(samples));
  for (let left = 1 + random.below(4); left > 0; left--) value = changed(value, samples, random, words);
  // Object.prototype's own setter would swallow this key, so it is written into the text.
  const text = JSON.stringify(value).replaceAll('"@proto"', '"__proto__"');
  if (random.chance(0.01)) return `${'['.repeat(DEPTH)}${text}${']'.repeat(DEPTH)}`;
  return random.chance(0.125) ? mutatedText([text], random, words) : text;
}

function changed(value: Json, samples: readonly Json[], random: Random, words: readonly string[]): Json {
  const fresh = (): Json => {
    const kind = random.next();
    if (kind < 0.4) return structuredClone(random.one([...VALUES, THEN]));
    if (kind < 0.8) return random.one(words.length > 0 && random.chance(0.6) ? words : WORDS);
    return structuredClone(random.one(samples));
  };
  if (typeof value !== 'object' || value === null || random.chance(0.1)) return fresh();
  if (Array.isArray(value)) {
    const at = random.below(value.length + 1);
    if (at < value.length && random.chance(0.5)) value[at] = changed(value[at]!, samples, random, words);
    else value.splice(at, random.below(2), fresh());
    return value;
  }
  const keys = Object.keys(value);
  const key = keys.length > 0 && random.chance(0.85) ? random.one(keys) : random.one([...words, '@proto', '', 'x']);
  if (random.chance(0.15)) delete value[key];
  else if (key in value && random.chance(0.6)) value[key] = changed(value[key] ?? null, samples, random, words);
  else value[key] = fresh();
  return value;
}
