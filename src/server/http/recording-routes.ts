import type { FastifyInstance, FastifyReply } from 'fastify';
import type { PictureSigner } from '../../media/provenance/picture-signer.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { RecordingState } from '../../shared/messages.ts';
import { RECORDING_FORMATS, type RecordingFormat } from '../../shared/recording-formats.ts';
import type { Recordings } from '../recording/recordings.ts';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import { snapshotOf } from '../session/snapshot.ts';

interface OfSession {
  Params: { id: string };
  Querystring: { format?: string };
}
interface OfFile {
  Params: { file: string };
}

/**
 * `/api/sessions/:id/recording` starts, shows and stops a recording, `/api/sessions/:id/snapshot.png` takes a
 * picture, and `/api/recordings` lists, sends and deletes finished recordings.
 */
export function recordingRoutes(
  app: FastifyInstance,
  { sessions, recordings, signer }: { sessions: Sessions; recordings: Recordings; signer: PictureSigner },
): void {
  const sessionOf = (id: string): Session => {
    const session = sessions.get(id);
    if (session !== undefined) return session;
    throw new FaceOffError('unknown_session', 'There is no such session; it may have ended.');
  };

  app.post<OfSession>('/api/sessions/:id/recording', async ({ params, query }, reply) => {
    const session = sessionOf(params.id);
    await recordings.start(session, query.format === undefined ? undefined : checkFormat(query.format));
    return reply.code(201).send(stateOf(session));
  });
  app.get<OfSession>('/api/sessions/:id/recording', async ({ params }) => stateOf(sessionOf(params.id)));
  app.delete<OfSession>('/api/sessions/:id/recording', async ({ params }) => {
    const { recorder } = sessionOf(params.id);
    if (recorder === null) throw notRecording();
    return recorder.stop();
  });

  app.get<OfSession>('/api/sessions/:id/snapshot.png', async ({ params }, reply) => {
    const { picture } = sessionOf(params.id);
    if (picture === null)
      throw new FaceOffError('no_picture', 'The session has shown no picture yet. Try again in a moment.', {
        details: { retryAfterMs: 1000 },
      });
    return sameOriginOnly(reply)
      .type('image/png')
      .header('cache-control', 'no-store')
      .send(await snapshotOf(picture, signer));
  });

  app.get('/api/recordings', async () => recordings.folder.list());
  app.get<OfFile>('/api/recordings/:file', async ({ params: { file } }, reply) => {
    await recordings.folder.check(file);
    return sameOriginOnly(reply)
      .header('content-disposition', `attachment; filename="${file}"`)
      .sendFile(file, recordings.folder.dir);
  });
  app.delete<OfFile>('/api/recordings/:file', async ({ params: { file } }, reply) => {
    await recordings.folder.remove(file);
    return reply.code(204).send();
  });
}

/** Keeps pages of other sites from showing the reply. */
const sameOriginOnly = (reply: FastifyReply): FastifyReply =>
  reply.header('cross-origin-resource-policy', 'same-origin');

function stateOf({ recorder }: Session): RecordingState {
  if (recorder === null) throw notRecording();
  return recorder.state;
}

const notRecording = (): FaceOffError => new FaceOffError('not_recording', 'This session has not been recorded.');

function checkFormat(given: string): RecordingFormat {
  const format = RECORDING_FORMATS.find((one) => one === given);
  if (format !== undefined) return format;
  throw new FaceOffError('bad_format', `A recording is written as ${RECORDING_FORMATS.join(' or ')}.`);
}
