/** The HTML pages. Their addresses are relative to the server's root, wherever the page itself is. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { root } from '../../lib/package-root.ts';
import { toRoot } from './base-path.ts';

/** Folder of the built pages with their scripts and styles. */
export const PAGES_DIR = path.join(root, 'dist/client');

/** One of the pages, by its file. */
export type PageName =
  | 'index.html'
  | 'player.html'
  | 'remote.html'
  | 'call.html'
  | 'login.html'
  | 'docs.html'
  | 'detector.html';

/** Replies with a page. @returns for a route to return. */
export async function sendPage(request: FastifyRequest, reply: FastifyReply, name: PageName): Promise<FastifyReply> {
  const html = await readFile(path.join(PAGES_DIR, name), 'utf8');
  const base = toRoot(request.url);
  // Without need the element is left out: it would make links to the page's own parts leave the page.
  const based = base === './' ? html : html.replace('<head>', `<head>\n    <base href="${base}">`);
  return reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(based);
}
