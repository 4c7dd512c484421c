/**
 * Checks the licences of all packages that are installed with FaceOff, on any system, by package-lock.json: nothing is
 * fetched. A licence that asks for more than its own text is allowed only where NOTICE names the package with it.
 *
 *   node scripts/licences.mjs [FOLDER]
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = process.argv[2] ?? path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const read = (name) => readFileSync(path.join(folder, name), 'utf8');

/** SPDX identifiers of licences that ask for their text to be kept, and no more. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
]);

/** Whether an SPDX expression (`MIT AND (Apache-2.0 OR GPL-2.0)`) can be kept with the licences that a test lets through. */
function isKept(expression, isAllowed) {
  const words = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  const either = () => {
    let kept = both();
    while (words[0] === 'OR') {
      words.shift();
      // Both sides are read, whatever the first one is.
      kept = both() || kept;
    }
    return kept;
  };
  const both = () => {
    let kept = one();
    while (words[0] === 'AND') {
      words.shift();
      kept = one() && kept;
    }
    return kept;
  };
  const one = () => {
    const word = words.shift() ?? '';
    if (word !== '(') return isAllowed(word);
    const kept = either();
    words.shift();
    return kept;
  };
  return either() && words.length === 0;
}

const paragraphs = read('NOTICE').split(/\n\n+/);
/** Whether NOTICE names the package, with `*` for the rest of a name, and the licence in one paragraph. */
const isNoticed = (name, licence) =>
  paragraphs.some(
    (text) =>
      text.includes(licence) &&
      (text.match(/(@[\w-]+\/)?[a-z][\w.-]*\*?/g) ?? []).some((word) =>
        word.endsWith('*') ? name.startsWith(word.slice(0, -1)) : name === word,
      ),
  );

const { packages } = JSON.parse(read('package-lock.json'));
const installed = Object.entries(packages).filter(([at, { dev, link }]) => at !== '' && !dev && !link);
const wrong = installed.flatMap(([at, { version, license = 'none is told' }]) => {
  const name = at.slice(at.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const kept = isKept(license, (licence) => ALLOWED.has(licence) || isNoticed(name, licence));
  return kept ? [] : [`${name} ${version}: ${license}`];
});
for (const line of wrong) console.error(line);
if (wrong.length > 0) {
  console.error('These licences are not allowed by scripts/licences.mjs. Use another package, or name it in NOTICE.');
  process.exit(1);
}
console.log(`The licences of ${installed.length} packages are allowed.`);
