/** The index of the documents lists every one of them, and the commands that they show are commands that there are. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const documents = readdirSync(path.join(root, 'docs')).filter((file) => file.endsWith('.md'));
/** All shell blocks of README, CONTRIBUTING and docs/. */
const shell = ['README.md', 'CONTRIBUTING.md', ...documents.map((file) => `docs/${file}`)].flatMap((file) =>
  [...read(file).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => ({ file, block: block! })),
);

test('the index lists every document of docs/, and README leads to it', () => {
  const listed = [...read('docs/README.md').matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, file]) => file!);
  expect(documents.filter((file) => file !== 'README.md').sort()).toEqual([...new Set(listed)].sort());
  expect(listed.length).toBe(new Set(listed).size);
  expect(read('README.md')).toContain('(docs/README.md)');
});

test('README stays short', () => {
  expect(read('README.md').split('\n').length).toBeLessThan(60);
});

test('anchors of links lead to headings that there are', () => {
  const slug = (heading: string): string =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .trim()
      .replace(/\s/g, '-');
  const headings = (file: string): string[] =>
    [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading!));
  const broken = ['README.md', 'CONTRIBUTING.md', ...documents.map((file) => `docs/${file}`)].flatMap((file) =>
    [...read(file).matchAll(/\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g)]
      .map(([, to, anchor]) => [to === '' ? file : path.posix.join(path.posix.dirname(file), to!), anchor!] as const)
      .filter(([to, anchor]) => to.endsWith('.md') && !headings(to).includes(anchor))
      .map(([to, anchor]) => `${file} -> ${to}#${anchor}`),
  );
  expect(broken).toEqual([]);
});

test('npm scripts and commands of faceoff in shell blocks are there', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const commands = new Set(
    readdirSync(path.join(root, 'src/commands'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        [...read(`src/commands/${file}`).matchAll(/new Command\('(\w+)'\)/g)].map(([, name]) => name!),
      ),
  );
  expect(commands.size).toBeGreaterThan(6);
  const wrong = shell.flatMap(({ file, block }) => [
    ...[...block.matchAll(/npm run (?:-s )?([\w:]+)/g)]
      .filter(([, name]) => scripts[name!] === undefined)
      .map(([all]) => `${file}: ${all}`),
    ...[...block.matchAll(/(?:faceoff --|npx faceoff|dist\/main\.js) ([a-z]\w*)/g)]
      .filter(([, name]) => !commands.has(name!))
      .map(([all]) => `${file}: ${all}`),
  ]);
  expect(wrong).toEqual([]);
});
