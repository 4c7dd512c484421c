/**
 * The extension's service worker. Only it talks to the server, and it injects the camera into the pages that the person
 * allowed, and into no others.
 */

import { joinUrl } from '../src/shared/join-url.ts';
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

chrome.runtime.onMessage.addListener((request: WorkerRequest, sender, reply: (answer: WorkerAnswer) => void) => {
  void handle(request, sender).then(reply, (error: unknown) => reply(refusalReply(String(error))));
  // Keeps the channel open for a reply that comes later.
  return true;
});

async function handle(request: WorkerRequest, { origin }: chrome.runtime.MessageSender): Promise<WorkerAnswer> {
  const chosen = await choices();
  // A page that was open when its site was forbidden still has the scripts.
  const pattern = patternOf(origin);
  if (pattern === null || !chosen.sites.includes(pattern))
    return refusalReply('This page may not use the FaceOff camera.');
  switch (request.do) {
    case 'choose': {
      return { ok: true, mode: chosen.mode, always: chosen.always };
    }
    case 'open': {
      return open(chosen, request.sdp);
    }
    case 'check': {
      const answer = await send(chosen, {
        path: request.session,
        method: 'PATCH',
        type: FRAGMENT,
        body: 'a=mid:0\r\n',
      });
      return answer?.ok ? { ok: true } : refusalReply('The session is over.');
    }
    case 'end': {
      await send(chosen, { path: request.session, method: 'DELETE' });
      return { ok: true };
    }
  }
}

/** Where a hotkey's change goes: the session of the page's camera, or the stream that pages are shown. */
async function controlled({ mode, stream }: Choices): Promise<string | null> {
  if (mode === 'stream') return `/api/streams/${encodeURIComponent(stream)}`;
  const { session } = await chrome.storage.session.get<{ session?: string }>('session');
  return session === undefined ? null : `/api/sessions/${session}`;
}

/** Does what a hotkey stands for; the button's badge says whether it was done. */
async function control(command: string): Promise<void> {
  const chosen = await choices();
  const at = await controlled(chosen);
  const path = `${at}/${command.replace('-', '/')}`;
  const answer = at === null ? null : await send(chosen, { path, method: 'POST' });
  const settings = answer?.ok ? ((await answer.json()) as { on: boolean; offAir: boolean }) : null;
  await chrome.action.setBadgeText({
    text: settings === null ? '!' : settings.offAir ? 'off' : settings.on ? '' : '–',
  });
}
chrome.commands.onCommand.addListener((command) => void control(command));

/** Posts an offer by WHIP or WHEP, as the person chose. */
async function open(chosen: Choices, sdp: string): Promise<WorkerAnswer> {
  const { mode, face, stream, server } = chosen;
  const path =
    mode === 'stream'
      ? `/whep/${encodeURIComponent(stream)}`
      : `/whip${face === '' ? '' : `?face=${encodeURIComponent(face)}`}`;
  const answer = await send(chosen, { path, method: 'POST', type: SDP, body: sdp });
  if (answer === null) return refusalReply(`The FaceOff server at ${server} does not answer. Start it with npm start.`);
  if (answer.status === 201) {
    const session = new URL(answer.headers.get('location') ?? '', answer.url).href;
    if (mode === 'camera') await chrome.storage.session.set({ session: session.split('/').at(-1) });
    return { ok: true, sdp: await answer.text(), link: answer.headers.get('link'), session };
  }
  const waitS = Number(answer.headers.get('retry-after') ?? Number.NaN);
  const { message } = (await answer.json().catch(() => ({}))) as { message?: string };
  return refusalReply(message ?? `The FaceOff server answered ${answer.status}.`, waitS > 0 ? 1000 * waitS : null);
}

interface ServerRequest {
  /** Path on the server, or a session's whole address. */
  path: string;
  method: string;
  type?: string;
  body?: string;
}

/** Sends a request to the server. @returns null where the server does not answer. */
async function send({ server, token }: Choices, { path, method, type, body }: ServerRequest): Promise<Response | null> {
  const url = path.startsWith('/') ? joinUrl(server, path) : new URL(path);
  // A session of a server that was chosen before: the token is not for that server.
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

/** Registrations run one after another: the browser refuses a script that is registered twice. */
let registering: Promise<void> = Promise.resolve();
function register(): void {
  registering = registering.then(registerScripts).catch((error: unknown) => console.error(error));
}

/** Registers the content scripts for the sites that are allowed in the choices and by the browser. */
async function registerScripts(): Promise<void> {
  const { sites } = await choices();
  const granted = await Promise.all(sites.map(async (site) => chrome.permissions.contains({ origins: [site] })));
  const matches = sites.filter((_, n) => granted[n]);
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
