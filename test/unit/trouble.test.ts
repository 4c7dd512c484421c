/** docs/trouble.md quotes what pages say: each sentence is in the code, and each problem that a page shows is quoted. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { noticeOf } from '../../src/client/notices/stream-notices.ts';
import type { Reason } from '../../src/client/peer/stream-state.ts';
import { root } from '../../src/lib/package-root.ts';
import { CAUSES } from '../../src/server/monitor/verdict.ts';
import { ERRORS } from '../../src/shared/error-catalogue.ts';

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const text = read('docs/trouble.md');
const quotes = [...text.matchAll(/“([^”]+)”/g)].map(([, quote]) => quote!.trim());
const verdict = read('src/server/monitor/verdict.ts');
const pages = readdirSync(path.join(root, 'src/client'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(ts|html)$/.test(file))
  .map((file) => read(path.posix.join('src/client', file)));

/** A sentence of the document as a pattern of source text: figures are expressions there. */
const patternOf = (quote: string): RegExp =>
  new RegExp(
    quote
      .split('…')
      .map((part) => part.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('[\\s\\S]{0,300}?'),
  );

test('every sentence that it quotes is one that a page or the verdict says', () => {
  expect(quotes.length).toBeGreaterThan(30);
  expect(quotes.filter((quote) => ![verdict, ...pages].some((source) => patternOf(quote).test(source)))).toEqual([]);
  expect(patternOf('A sentence of … that is nowhere').test(verdict)).toBe(false);
});

/** Reasons that are no problem: nothing is to be done, or the notice itself says what. */
const FINE: readonly Reason[] = ['welcome', 'stopped', 'asking', 'connecting', 'waiting', 'live'];

test('every problem that the studio shows has a line', () => {
  const source = read('src/client/notices/stream-notices.ts');
  const reasons = [
    ...source.slice(source.indexOf('const NOTICES'), source.indexOf('const CALL_NOTICES')).matchAll(/^ {2}(\w+): \{/gm),
  ]
    .map(([, reason]) => reason as Reason)
    .filter((reason) => !FINE.includes(reason));
  expect(reasons.length).toBeGreaterThan(10);
  const titles = reasons.map((reason) => noticeOf({ state: 'failed', reason })?.title ?? reason);
  expect(titles.filter((title) => !quotes.includes(title))).toEqual([]);
});

test('every cause of a verdict has a line with its sentence', () => {
  const rows = [...text.matchAll(/^\| `(\w+)` \| “([^”]+)” \|$/gm)].map(([, cause]) => cause);
  expect(CAUSES.filter((cause) => !rows.includes(cause))).toEqual([]);
  const codes = [...text.matchAll(/\b\d{3} `(\w+)`/g)].map(([, code]) => code!);
  expect(codes.length).toBeGreaterThan(3);
  for (const code of codes) expect(text).toContain(`${ERRORS[code as keyof typeof ERRORS].status} \`${code}\``);
});
