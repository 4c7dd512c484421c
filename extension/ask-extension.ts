/** Sends requests from the page's own JavaScript world to the extension's content script (bridge.ts). */

import { ANSWERED, ASKED, type PageReply, type PageRequest, refusalReply } from './extension-protocol.ts';

const ANSWER_WITHIN_MS = 20_000;
const waiting = new Map<number, (answer: PageReply) => void>();
let count = 0;

document.addEventListener(ANSWERED, (event) => {
  const { id, answer } = JSON.parse((event as CustomEvent<string>).detail) as { id: number; answer: PageReply };
  waiting.get(id)?.(answer);
});

/**
 * Sends one request and resolves with its reply. Never rejects: an extension that does not answer within 20 s counts as
 * a refusal.
 */
export async function askExtension(request: PageRequest): Promise<PageReply> {
  const id = ++count;
  const answer = await new Promise<PageReply>((resolve) => {
    waiting.set(id, resolve);
    setTimeout(
      () => resolve(refusalReply('The FaceOff extension does not answer. Reload the page.')),
      ANSWER_WITHIN_MS,
    );
    document.dispatchEvent(new CustomEvent(ASKED, { detail: JSON.stringify({ id, ask: request }) }));
  });
  waiting.delete(id);
  return answer;
}
