/**
 * The content script of an allowed page. It runs in an isolated world that the page cannot reach, forwards the page's
 * requests to the service worker, and keeps the sessions' addresses to itself. A page gets no picture unless the person
 * allowed it a camera.
 */

import {
  ANSWERED,
  ASKED,
  type PageReply,
  type PageRequest,
  refusalReply,
  type WorkerAnswer,
  type WorkerRequest,
} from './extension-protocol.ts';

const sessions = new Map<number, string>();
let count = 0;

/** Marks a page that has this script: the popup injects it into an open page, which may have it already. */
const INSTALLED = Symbol.for('faceoff');

function install(): void {
  if (INSTALLED in globalThis) return;
  Object.defineProperty(globalThis, INSTALLED, { value: true });
  document.addEventListener(ASKED, (event) => {
    const { id, ask } = JSON.parse((event as CustomEvent<string>).detail) as { id: number; ask: PageRequest };
    void handle(ask).then((answer) =>
      document.dispatchEvent(new CustomEvent(ANSWERED, { detail: JSON.stringify({ id, answer }) })),
    );
  });
  // The page goes, and its connections with it.
  addEventListener('pagehide', () => {
    for (const session of sessions.values()) void askWorker({ do: 'end', session });
    sessions.clear();
  });
}

async function handle(request: PageRequest): Promise<PageReply> {
  if (request.do === 'choose') return (await askWorker(request)) as PageReply;
  if (request.do === 'open') return open(request.sdp);
  const session = sessions.get(request.session);
  if (session === undefined) return refusalReply('There is no such session.');
  if (request.do === 'end') sessions.delete(request.session);
  return (await askWorker({ do: request.do, session })) as PageReply;
}

async function open(sdp: string): Promise<PageReply> {
  const { state } = await navigator.permissions.query({ name: 'camera' as PermissionName });
  if (state !== 'granted') return refusalReply('The page may not use a camera.');
  const answer = await askWorker({ do: 'open', sdp });
  if (!answer.ok || !('session' in answer)) return answer as PageReply;
  sessions.set(++count, answer.session);
  return { ...answer, session: count };
}

async function askWorker(request: WorkerRequest): Promise<WorkerAnswer> {
  try {
    return await chrome.runtime.sendMessage<WorkerRequest, WorkerAnswer>(request);
  } catch {
    return refusalReply('The FaceOff extension was updated or switched off. Reload the page.');
  }
}

install();
