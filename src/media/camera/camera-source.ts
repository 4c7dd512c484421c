/** What kind of input a name is: a camera, something stored that is read at its own rate, or something live. */

import { statSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { isDevice, isFile, isStandardInput } from './camera-errors.ts';

/** How an input is read. */
export interface SourceKind {
  /** Whether it is stored, or comes in pieces of seconds (HLS, DASH): its pictures wait for their time. */
  isPaced: boolean;
  /** Whether its sender connects, or begins to send, when it likes: the first picture is waited for without a limit. */
  waits: boolean;
}

/** Whether a name is that of a stored file, rather than a pipe. */
const isStoredFile = (name: string): boolean => statSync(name, { throwIfNoEntry: false })?.isFile() ?? false;

const STORED_SCHEME = /^(file|concatf?|subfile|data|crypto|cache|async|bluray|s?ftp|ipfs|ipns|gophers?):/i;
/** Endings of clips, which have an end. */
const STORED_ENDING = /\.(mp4|m4v|mov|mkv|webm|avi|y4m|flv)([?#]|$)/i;
/** Endings of playlists, whose pieces come at once. */
const PLAYLIST_ENDING = /\.(m3u8?|mpd)([?#]|$)/i;
const PLAYLIST_TYPE = /mpegurl|dash\+xml/i;
/** What is sent without a connection, and what listens for one. */
const WAITING = /^(udp|udplite|rtp|srtp):|^[a-z+]+:.*[?&](listen(=[12])?|mode=(listener|rendezvous))(&|$)/i;
const ANSWER_WITHIN_MS = 5000;
const MOST_REDIRECTS = 5;
/** A camera that serves one viewer at a time needs a moment to notice that one is gone. */
const FREED_MS = 500;

/** Whether an input's sender connects, or begins to send, when it likes. */
export const waitsForSender = (name: string): boolean =>
  WAITING.test(name) || isStandardInput(name) || (isFile(name) && !isStoredFile(name));

/** What servers said of their addresses: a camera that serves one viewer at a time is not asked at each opening. */
const told = new Map<string, boolean>();

/** Asks the server of an http address what it is, where that cannot be told from the name. Never rejects. */
export async function kindOf(name: string, signal: AbortSignal): Promise<SourceKind> {
  const waits = waitsForSender(name);
  if (isDevice(name) || waits) return { isPaced: false, waits };
  const isHttp = /^https?:/i.test(name);
  if (!isHttp) return { isPaced: isStoredFile(name) || STORED_SCHEME.test(name), waits: false };
  if (PLAYLIST_ENDING.test(name)) return { isPaced: true, waits: false };
  const isStored = told.get(name) ?? (await isStoredAt(name, signal));
  if (isStored !== null) told.set(name, isStored);
  return { isPaced: isStored ?? STORED_ENDING.test(name), waits: false };
}

/** Whether an address has an end, or is a playlist; null where its server does not say. */
async function isStoredAt(name: string, signal: AbortSignal): Promise<boolean | null> {
  let address = name;
  for (let asked = 0; asked <= MOST_REDIRECTS; asked++) {
    const reply = await headersOf(address, signal);
    if (reply === null) return null;
    const { statusCode = 0, headers } = reply;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
      if (!URL.canParse(headers.location, address)) return null;
      address = new URL(headers.location, address).href;
      continue;
    }
    if (statusCode !== 200 && statusCode !== 206) return null;
    const type = headers['content-type'] ?? '';
    if (PLAYLIST_TYPE.test(type)) return true;
    const isStored = !/^multipart\//i.test(type) && (statusCode === 206 || Number(headers['content-length']) > 0);
    if (!isStored) await pause(FREED_MS, undefined, { signal }).catch(() => undefined);
    return isStored;
  }
  return null;
}

/** Status and headers of an answer, whose body is not read; null where none comes. The certificate is not checked, as ffmpeg does not. */
function headersOf(
  address: string,
  signal: AbortSignal,
): Promise<Pick<http.IncomingMessage, 'statusCode' | 'headers'> | null> {
  return new Promise((resolve) => {
    try {
      const url = new URL(address);
      const { request } = url.protocol === 'https:' ? https : http;
      const asked = request(url, { headers: { range: 'bytes=0-0' }, agent: false, rejectUnauthorized: false, signal });
      asked.setTimeout(ANSWER_WITHIN_MS, () => asked.destroy());
      asked.once('response', (reply) => {
        resolve({ statusCode: reply.statusCode, headers: reply.headers });
        reply.on('error', () => undefined).destroy();
      });
      asked.on('error', () => resolve(null));
      asked.once('close', () => resolve(null));
      asked.end();
    } catch {
      resolve(null);
    }
  });
}
