/**
 * In an allowed page, but in a world of its own that the page cannot reach: passes on what the page's world may ask, and
 * keeps the sessions' addresses. A page gets no picture that the person did not allow it a camera for.
 */

import { ANSWERED, type Answer, ASKED, type Ask, refusal, type WorkerAnswer, type WorkerAsk } from './extension-protocol.ts';

const sessions = new Map<number, string>();
let count = 0;

/** The popup puts this script into a page that was open before, where it may be already. */
const INSTALLED = Symbol.for('faceoff');

function install(): void {
  if (INSTALLED in globalThis) return;
  Object.defineProperty(globalThis, INSTALLED, { value: true });
  document.addEventListener(ASKED, (event) => {
    const { id, ask } = JSON.parse((event as CustomEvent<string>).detail) as { id: number; ask: Ask };
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

async function hear(ask: Ask): Promise<Answer> {
  if (ask.do === 'choose') return (await tell(ask)) as Answer;
  if (ask.do === 'open') return open(ask.sdp);
  const session = sessions.get(ask.session);
  if (session === undefined) return refusal('There is no such session.');
  if (ask.do === 'end') sessions.delete(ask.session);
  return (await tell({ do: ask.do, session })) as Answer;
}

async function open(sdp: string): Promise<Answer> {
  const { state } = await navigator.permissions.query({ name: 'camera' as PermissionName });
  if (state !== 'granted') return refusal('The page may not use a camera.');
  const answer = await tell({ do: 'open', sdp });
  if (!answer.ok || !('session' in answer)) return answer as Answer;
  sessions.set(++count, answer.session);
  return { ...answer, session: count };
}

async function tell(ask: WorkerAsk): Promise<WorkerAnswer> {
  try {
    return await chrome.runtime.sendMessage<WorkerAsk, WorkerAnswer>(ask);
  } catch {
    return refusal('The FaceOff extension was updated or switched off. Reload the page.');
  }
}

install();
