/** Tables of documents whose lines link to tests: the files are there, and hold tests of those names. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';

interface Row {
  text: string;
  /** Each file with the names of its tests, `describe > test`. */
  links: [file: string, names: string[]][];
}

/** The lines of the document's tables whose last column is headed `test`. */
function rowsOf(document: string): Row[] {
  const rows: Row[] = [];
  let isTable = false;
  for (const line of readFileSync(path.join(root, document), 'utf8').split('\n')) {
    if (/\| test \|$/.test(line)) isTable = true;
    else if (!line.startsWith('|')) isTable = false;
    else if (isTable && !/^\|[-|]+$/.test(line))
      rows.push({ text: line, links: linksOf(line, path.dirname(document)) });
  }
  return rows;
}

function linksOf(line: string, folder: string): Row['links'] {
  const last = line.slice(line.lastIndexOf(' | ') + 3);
  return [...last.matchAll(/\[[^\]]+\]\(([^)]+)\)((?:,? `[^`]+`)*)/g)].map(([, to, names]) => [
    path.posix.normalize(path.posix.join(folder, to!)),
    [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  ]);
}

/**
 * The names that a file gives its tests and groups: texts that open a call and are followed by a function or options. Of a
 * template what comes before its first value.
 */
function namesIn(file: string): Set<string> {
  const source = readFileSync(path.join(root, file), 'utf8');
  const name =
    /\(\s*(?:'((?:[^'\\\n]|\\.)+)'|"((?:[^"\\\n]|\\.)+)"|`([^`$]+)(?:\$[^`]*`[^`]*`[^`]*)?[^`]*`),\s*(?:async\b|\(|\{|[A-Z]+,)/g;
  // Documents have the apostrophe of typography.
  return new Set(
    [...source.matchAll(name)].map(([, single, double, template]) =>
      (single ?? double ?? template)!.replace(/\\?'/g, '’'),
    ),
  );
}

describe.each(['docs/faults.md', 'SECURITY.md', 'docs/trust.md'])('%s', (document) => {
  const rows = rowsOf(document);

  test('has a table, and a test for each of its lines', () => {
    expect(rows.length).toBeGreaterThan(5);
    expect(rows.filter(({ links }) => links.length === 0 || links.some(([, names]) => names.length === 0))).toEqual([]);
  });

  test('names tests that there are', () => {
    const missing = rows.flatMap(({ links }) =>
      links.flatMap(([file, names]) => {
        const there = namesIn(file);
        return names
          .filter((name) => !name.split(' > ').every((part) => there.has(part)))
          .map((name) => `${file}: ${name}`);
      }),
    );
    expect(missing).toEqual([]);
  });
});

test('every file of test/media/faults has a line in docs/faults.md', () => {
  const linked = new Set(rowsOf('docs/faults.md').flatMap(({ links }) => links.map(([file]) => path.basename(file))));
  const files = readdirSync(path.join(root, 'test/media/faults')).filter((name) => name.endsWith('.test.ts'));
  expect(files.filter((name) => !linked.has(name))).toEqual([]);
});
