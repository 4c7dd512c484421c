import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config.ts';
import type { Faces } from '../../faces/face-service.ts';
import { importPack, packOf } from '../../faces/packs/face-pack.ts';
import { openZip } from '../../faces/packs/pack-source.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { FaceInfo } from '../../shared/messages.ts';
import { readFileForm } from './picture-form.ts';

/** Longest name of the person who confirms. */
const CONFIRMER_LENGTH = 80;

/**
 * `/api/face-pack`: the faces that people added, exported and imported as a zip. Needs @fastify/multipart.
 * @param onAdded called after an import, once for each new face.
 */
export function facePackRoutes(
  app: FastifyInstance,
  faces: Faces,
  config: Config,
  onAdded: (face: FaceInfo) => void,
): void {
  app.get<{ Querystring: { face?: string } }>('/api/face-pack', async ({ query: { face } }, reply) => {
    const pack = await packOf(faces, face === undefined ? undefined : [face]);
    return reply
      .type('application/zip')
      .header('content-disposition', 'attachment; filename="faces.zip"')
      .header('cache-control', 'no-store')
      .send(pack);
  });

  app.post('/api/face-pack', async (request) => {
    const { packBytes: bytes, uploadBytes: photoBytes } = config.limits;
    const { data, text } = await readFileForm(request, { bytes, what: 'pack' }, 'file and consent');
    if (text('consent') !== 'true')
      throw new FaceOffError(
        'consent_missing',
        'Confirm that you may use every face of the pack: it is yours, or the person agreed (consent=true).',
      );
    const by = text('confirmedBy')?.trim().slice(0, CONFIRMER_LENGTH);
    const source = await openZip(data);
    try {
      const result = await importPack(source, faces, { bytes, photoBytes }, by === '' ? undefined : by);
      for (const face of result.added) onAdded(face);
      return result;
    } finally {
      source.close();
    }
  });
}
