/** Requests that come on one connection before the one in front of them is answered (HTTP pipelining). */

import type { FastifyInstance } from 'fastify';

/** Most requests of a connection that wait; browsers and proxies send the next one after the answer. */
const MOST_WAITING = 64;

/** The requests of a connection. */
interface Line {
  /** Resolves when the last one is answered, or will not be. */
  tail: Promise<void>;
  waiting: number;
}

/**
 * Has each connection's requests handled one after another, and closes a connection on which too many wait. Node hands over
 * all that it reads at once, and keeps every answer, with the files that are open for it, until those before it are taken:
 * ten connections that read nothing would hold thousands of descriptors, also after they are closed.
 * Has to be called before other hooks are added.
 */
export function answerOneAtATime(app: FastifyInstance): void {
  const lines = new WeakMap<object, Line>();
  app.addHook('onRequest', async ({ raw: { socket } }, reply) => {
    const line = lines.get(socket) ?? { tail: Promise.resolve(), waiting: 0 };
    lines.set(socket, line);
    if (line.waiting === MOST_WAITING) {
      socket.destroy();
      reply.hijack();
      return;
    }
    const { tail } = line;
    let leave = (): void => undefined;
    line.tail = new Promise((resolve) => {
      leave = resolve;
    });
    reply.raw.once('close', leave);
    line.waiting++;
    await tail;
    line.waiting--;
    if (!socket.destroyed) return;
    // Its answer is never given to the connection, and would not be closed with it.
    leave();
    reply.hijack();
  });
}
