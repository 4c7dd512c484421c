/**
 * In an allowed page, but in a world of its own that the page cannot reach: passes on what the page's world may ask, and
 * keeps the sessions' addresses. A page gets no picture that the person did not allow it a camera for.
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

/** The popup puts this script into a page that was open before, where it may be already. */
const INSTALLED = Symbol.for('faceoff');

function install(): void {
  if (INSTALLED in globalThis) return;
  Object.defineProperty(globalThis, INSTALLED, { value: true });
  document.addEventListener(ASKED, (event) => {
    const { id, ask } = JSON.parse((event as CustomEvent<string>).detail) as { id: number; ask: PageRequest };
    void hear(ask).then((answer) =>
      document.dispatchEvent(new CustomEvent(ANSWERED, { detail: JSON.stringify({ id, answer }) })),
    );
  });
  // The page goes, with its connections.
  addEventListener('pagehide', () => {
    for (const session of sessions.values()) void tell({ do: 'end', session });
    sessions.clear();
  });
}

async function hear(ask: PageRequest): Promise<PageReply> {
  if (ask.do === 'choose') return (await tell(ask)) as PageReply;
  if (ask.do === 'open') return open(ask.sdp);
  const session = sessions.get(ask.session);
  if (session === undefined) return refusalReply('There is no such session.');
  if (ask.do === 'end') sessions.delete(ask.session);
  return (await tell({ do: ask.do, session })) as PageReply;
}

async function open(sdp: string): Promise<PageReply> {
  const { state } = await navigator.permissions.query({ name: 'camera' as PermissionName });
  if (state !== 'granted') return refusalReply('The page may not use a camera.');
  const answer = await tell({ do: 'open', sdp });
  if (!answer.ok || !('session' in answer)) return answer as PageReply;
  sessions.set(++count, answer.session);
  return { ...answer, session: count };
}

async function tell(ask: WorkerRequest): Promise<WorkerAnswer> {
  try {
    return await chrome.runtime.sendMessage<WorkerRequest, WorkerAnswer>(ask);
  } catch {
    return refusalReply('The FaceOff extension was updated or switched off. Reload the page.');
  }
}

install();
