/**
 * The extension's service worker: talks to the server, as pages may not, and puts the camera into the pages that the
 * person allowed, and into no others.
 */

import {
  type Choices,
  DEFAULTS,
  patternOf,
  refusalReply,
  type WorkerAnswer,
  type WorkerRequest,
} from './extension-protocol.ts';

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';
const ANSWER_WITHIN_MS = 15_000;

const choices = async (): Promise<Choices> => chrome.storage.local.get<Choices>({ ...DEFAULTS });

chrome.runtime.onMessage.addListener((ask: WorkerRequest, sender, reply: (answer: WorkerAnswer) => void) => {
  void hear(ask, sender).then(reply, (error: unknown) => reply(refusalReply(String(error))));
  // The answer comes later.
  return true;
});

async function hear(ask: WorkerRequest, { origin }: chrome.runtime.MessageSender): Promise<WorkerAnswer> {
  const chosen = await choices();
  // A page that is open still has the scripts of a site that is not allowed any more.
  const pattern = patternOf(origin);
  if (pattern === null || !chosen.sites.includes(pattern))
    return refusalReply('This page may not use the FaceOff camera.');
  switch (ask.do) {
    case 'choose': {
      return { ok: true, mode: chosen.mode, always: chosen.always };
    }
    case 'open': {
      return open(chosen, ask.sdp);
    }
    case 'check': {
      const there = await send(chosen, ask.session, 'PATCH', FRAGMENT, 'a=mid:0\r\n');
      return there?.ok ? { ok: true } : refusalReply('The session is over.');
    }
    case 'end': {
      await send(chosen, ask.session, 'DELETE');
      return { ok: true };
    }
  }
}

async function open(chosen: Choices, sdp: string): Promise<WorkerAnswer> {
  const { mode, face, stream, server } = chosen;
  const path =
    mode === 'stream'
      ? `/whep/${encodeURIComponent(stream)}`
      : `/whip${face === '' ? '' : `?face=${encodeURIComponent(face)}`}`;
  const answer = await send(chosen, path, 'POST', SDP, sdp);
  if (answer === null) return refusalReply(`The FaceOff server at ${server} does not answer. Start it with npm start.`);
  if (answer.status === 201) {
    const session = new URL(answer.headers.get('location') ?? '', answer.url).href;
    return { ok: true, sdp: await answer.text(), link: answer.headers.get('link'), session };
  }
  const waitS = Number(answer.headers.get('retry-after') ?? Number.NaN);
  const { message } = (await answer.json().catch(() => ({}))) as { message?: string };
  return refusalReply(message ?? `The FaceOff server answered ${answer.status}.`, waitS > 0 ? 1000 * waitS : null);
}

/** Null when nobody answers. */
async function send(
  { server, token }: Choices,
  path: string,
  method: string,
  type?: string,
  body?: string,
): Promise<Response | null> {
  const url = new URL(path, server);
  // A session of a server that was chosen before is that one's, and its token is not for this one.
  if (url.origin !== new URL(server).origin) return null;
  return fetch(url, {
    method,
    credentials: 'omit',
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    ...(body !== undefined && { body }),
    headers: {
      ...(type !== undefined && { 'content-type': type }),
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      ...(method === 'PATCH' && { 'if-match': '*' }),
    },
  }).catch(() => null);
}

/** One after another: the browser refuses a script that is registered twice. */
let registering: Promise<void> = Promise.resolve();
function register(): void {
  registering = registering.then(putScripts).catch((error: unknown) => console.error(error));
}

async function putScripts(): Promise<void> {
  const { sites } = await choices();
  const held = await Promise.all(sites.map(async (site) => chrome.permissions.contains({ origins: [site] })));
  const matches = sites.filter((_, n) => held[n]);
  await chrome.scripting.unregisterContentScripts();
  if (matches.length === 0) return;
  const common = { matches, allFrames: true, runAt: 'document_start' } as const;
  await chrome.scripting.registerContentScripts([
    { ...common, id: 'bridge', js: ['bridge.js'], world: 'ISOLATED' },
    { ...common, id: 'page', js: ['page.js'], world: 'MAIN' },
  ]);
}

chrome.runtime.onInstalled.addListener(register);
chrome.runtime.onStartup.addListener(register);
chrome.permissions.onAdded.addListener(register);
chrome.permissions.onRemoved.addListener(register);
chrome.storage.onChanged.addListener((changes) => 'sites' in changes && register());
