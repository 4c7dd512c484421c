import type { FastifyInstance } from 'fastify';
import { urlOf } from '../../lib/address.ts';
import { FaceOffError } from '../../shared/errors.ts';

/** @returns the address. @throws FaceOffError `cannot_listen`, naming the `setting` of the port. */
export async function listenAt(
  app: FastifyInstance,
  { setting, host, port }: { setting: string; host: string; port: number },
): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why =
      code === 'EADDRINUSE' ? `port ${port} is taken by another program; choose another with ${setting}` : message;
    throw new FaceOffError('cannot_listen', `The server cannot listen on ${host}:${port}: ${why}.`, { cause });
  }
  return urlOf(host, (app.server.address() as { port: number }).port, false);
}
