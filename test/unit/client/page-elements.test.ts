import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';

const client = path.join(root, 'src/client');

/** A page's HTML with the parts that the build includes. */
const htmlOf = (file: string): string =>
  readFileSync(path.join(client, file), 'utf8').replace(/<!-- include (\S+) -->/g, (_, part: string) =>
    readFileSync(path.join(client, part), 'utf8'),
  );

/** A script and all that it imports from src/client, as source text. */
function sourcesOf(file: string, found = new Map<string, string>()): Map<string, string> {
  if (found.has(file)) return found;
  const text = readFileSync(path.join(client, file), 'utf8');
  found.set(file, text);
  for (const [, to] of text.matchAll(/from '(\.[^']+)'/g)) {
    const imported = path.posix.join(path.posix.dirname(file), to!);
    if (!imported.startsWith('..')) sourcesOf(imported, found);
  }
  return found;
}

test.each([
  ['studio/studio.ts', 'studio/index.html'],
  ['call/call.ts', 'call/call.html'],
  ['player/player.ts', 'player/player.html'],
  ['remote/remote.ts', 'remote/remote.html'],
  ['detector/detector.ts', 'detector/detector.html'],
  ['login/login.ts', 'login/login.html'],
])('every element that %s asks for is in %s', (script, page) => {
  const html = htmlOf(page);
  const missing = [...sourcesOf(script)].flatMap(([file, text]) =>
    [...text.matchAll(/\belement\('([\w-]+)'/g)]
      .filter(([, id]) => !html.includes(`id="${id}"`))
      .map(([, id]) => `${file}: #${id}`),
  );
  expect(missing).toEqual([]);
});
