/** Texts with one to four things wrong: words, numbers and lines replaced, doubled, moved or left out. */

import type { Random } from './random.ts';

/** Words that programs stumble over. */
export const WORDS = [
  '',
  '0',
  '-1',
  '1',
  '1.5',
  '1e309',
  '0x10',
  '007',
  '255',
  '65536',
  '4294967296',
  '9007199254740993',
  'NaN',
  'Infinity',
  'null',
  'true',
  'undefined',
  '[]',
  '{}',
  '__proto__',
  'constructor',
  'toString',
  '..',
  '../../etc/passwd',
  '%00',
  '%2e%2e%2f',
  '%ff',
  '%',
  '\0',
  '\u00e9',
  '\u2028',
  '\u202e',
  '\ud83d\ude00',
  '"',
  "'",
  '\\',
  '/',
  ':',
  ';',
  ',',
  '#',
  '&a',
  '*a',
  '!!js/function',
  '{{x}}',
  '%s%n',
  ' ',
  '\t',
  '\n',
  '\r\n',
  'A'.repeat(300),
  '9'.repeat(40),
];

/** Longest text that is made, in characters. */
const MOST_CHARACTERS = 1 << 18;

/** One of the samples, changed. @param words further words of the format. */
export function mutatedText(samples: readonly string[], random: Random, words: readonly string[] = []): string {
  const word = (): string => random.one(words.length > 0 && random.chance(0.5) ? words : WORDS);
  let text = random.one(samples);
  for (let left = 1 + random.below(4); left > 0; left--) text = changed(text, samples, random, word);
  return text.slice(0, MOST_CHARACTERS);
}

function changed(text: string, samples: readonly string[], random: Random, word: () => string): string {
  const lines = text.split('\n');
  const at = random.below(lines.length);
  const line = lines[at]!;
  switch (random.below(9)) {
    case 0: {
      lines.splice(at, 1);
      break;
    }
    case 1: {
      lines.splice(at, 0, random.one(lines));
      break;
    }
    case 2: {
      lines.splice(at, 0, random.one(random.one(samples).split('\n')));
      break;
    }
    case 3: {
      const parts = line.split(/([ :/;=,"?&-])/);
      parts[random.below(parts.length)] = word();
      lines[at] = parts.join('');
      break;
    }
    case 4: {
      lines[at] = line.replace(/\d+/g, (digits) => (random.chance(0.5) ? word() : digits));
      break;
    }
    case 5: {
      lines[at] = line.slice(0, random.below(line.length + 1));
      break;
    }
    case 6: {
      const from = random.below(line.length + 1);
      lines[at] = line.slice(0, from) + word() + line.slice(from);
      break;
    }
    case 7: {
      lines[at] = line.repeat(1 + random.below(random.one([3, 50])));
      break;
    }
    default: {
      return text.slice(0, random.below(text.length + 1));
    }
  }
  return lines.join('\n');
}
