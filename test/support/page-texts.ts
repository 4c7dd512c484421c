/** The texts of the pages, as their code and their HTML hold them: what every language has to translate. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { transformSync } from 'esbuild';
import { parseAst } from 'vite';
import { root } from '../../src/lib/package-root.ts';
import { CONSENT_STATEMENT } from '../../src/shared/duties/consent-statement.ts';
import { DISCLOSURE_DUTY, MARK_WORDS } from '../../src/shared/duties/disclosure-duty.ts';

/** Constants that may stand in the place of a literal: pages and server share them. */
const CONSTANTS: Readonly<Record<string, string>> = { CONSENT_STATEMENT, DISCLOSURE_DUTY, MARK_WORDS };
/** The functions that take a text for people: of pages, and of sentences that the server sends. */
const SPEAKERS = new Set(['t', 'phrase', 'sentence']);
/** Folders with such calls. `/api/docs` stays English, as the document that it shows. */
const FOLDERS = ['src/client', 'src/server', 'src/faces'];
const ENGLISH_ONLY = /^src\/client\/(docs|language\/translate\.ts)/;

/** Texts of files, and the places where a call has none that can be read. */
export interface FoundTexts {
  texts: ReadonlySet<string>;
  /** `file: code` of each. */
  unreadable: readonly string[];
}

interface AstNode {
  type: string;
  start: number;
  end: number;
  callee?: { type: string; name?: string };
  arguments?: { type: string; value?: unknown; name?: string }[];
}

const isNode = (value: unknown): value is AstNode =>
  typeof value === 'object' && value !== null && typeof (value as AstNode).type === 'string';

function* nodesOf(node: AstNode): Generator<AstNode> {
  yield node;
  for (const value of Object.values(node))
    for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) yield* nodesOf(one);
}

/** The text of a call's first argument; null where it cannot be read. */
function textOf({ arguments: [first] = [] }: AstNode): string | null {
  if (first?.type === 'Literal' && typeof first.value === 'string') return first.value;
  return first?.type === 'Identifier' ? (CONSTANTS[first.name!] ?? null) : null;
}

/** The texts in a file's code. @param file for messages. */
export function textsOfCode(code: string, file: string): FoundTexts {
  const plain = transformSync(code, { loader: 'ts', target: 'es2022' }).code;
  const calls = [...nodesOf(parseAst(plain) as unknown as AstNode)].filter(
    ({ type, callee }) => type === 'CallExpression' && callee?.type === 'Identifier' && SPEAKERS.has(callee.name!),
  );
  const read = calls.map((call) => ({ text: textOf(call), at: `${file}: ${plain.slice(call.start, call.end)}` }));
  return {
    texts: new Set(read.flatMap(({ text }) => (text === null ? [] : [text]))),
    unreadable: read.flatMap(({ text, at }) => (text === null ? [at] : [])),
  };
}

const VOID = /^(meta|link|img|input|br|path|rect|circle|use)$/;
const ATTRIBUTE = /\b(title|aria-label|placeholder|alt)="([^"]*)"/g;
const TOKEN = /<!--.*?-->|<!doctype[^>]*>|<(\/?)([a-z][\w-]*)([^>]*)>|([^<]+)/gis;

/** The texts and spoken attributes of HTML, but for those in elements that say `translate="no"`. */
export function textsOfHtml(html: string): ReadonlySet<string> {
  const found: string[] = [];
  const open: boolean[] = [];
  for (const [, closing, name, attributes = '', text] of html.matchAll(TOKEN)) {
    const isTranslated = open.at(-1) ?? true;
    if (text !== undefined && isTranslated) found.push(text);
    if (name === undefined) continue;
    if (closing === '/') {
      open.pop();
      continue;
    }
    const isOwn = isTranslated && !/translate="no"/.test(attributes) && !/^(script|style)$/.test(name);
    if (isOwn) found.push(...[...attributes.matchAll(ATTRIBUTE)].map(([, , value]) => value!));
    if (!VOID.test(name) && !attributes.endsWith('/')) open.push(isOwn);
  }
  return new Set(found.map((text) => text.trim().replace(/\s+/g, ' ')).filter((text) => /\p{L}/u.test(text)));
}

/** Every text that a language has to have. */
export function pageTexts(): FoundTexts {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`),
  ).filter((file) => !ENGLISH_ONLY.test(file));
  const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
  const html = files.filter((file) => file.endsWith('.html')).flatMap((file) => [...textsOfHtml(read(file))]);
  const code = files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .filter((file) => /\b(t|phrase|sentence)\(/.test(read(file)))
    .map((file) => textsOfCode(read(file), file));
  return {
    texts: new Set([...html, ...code.flatMap(({ texts }) => [...texts])]),
    unreadable: code.flatMap(({ unreadable }) => unreadable),
  };
}
