import type { FastifyInstance } from 'fastify';
import type { Faces } from '../../../faces/face-service.ts';
import { FaceOffError } from '../../../shared/errors.ts';
import { consentRequestSchema } from '../../openapi/request-schemas.ts';
import { acceptAnyBody, jsonOf } from '../json-body.ts';

interface OfFace {
  Params: { id: string };
}

/** What the consent routes use. */
export interface ConsentParts {
  faces: Faces;
  /** Removes a face everywhere. @throws FaceOffError as `Faces.remove` does. */
  removeFace(id: string): Promise<void>;
  /** Called after a confirmation. */
  onChange(): void;
}

/** `/api/faces/:id/consent`: shows, confirms and revokes the consent for a face. A plugin, because it accepts bodies of any type. */
export function consentRoutes(app: FastifyInstance, { faces, removeFace, onChange }: ConsentParts): void {
  acceptAnyBody(app);
  app.get<OfFace>('/api/faces/:id/consent', async ({ params }) => faces.consent(params.id));

  app.post<OfFace>('/api/faces/:id/consent', async (request) => {
    const by = confirmerOf(jsonOf(request));
    const info = await faces.confirm(request.params.id, by);
    onChange();
    return info;
  });

  app.delete<OfFace>('/api/faces/:id/consent', async ({ params }, reply) => {
    await removeFace(params.id);
    return reply.code(204).send();
  });
}

/** Name of the person who confirms; null if none was given. @throws FaceOffError `consent_missing`, `bad_field` (422). */
function confirmerOf(given: unknown): string | null {
  const { success, data, error } = consentRequestSchema.safeParse(given);
  if (success) return data.confirmedBy?.trim() || null;
  const fields = error.issues.map(({ path }) => path.join('.'));
  if (fields.some((field) => field === 'consent' || field === '') && (given as { consent?: unknown })?.consent !== true)
    throw new FaceOffError(
      'consent_missing',
      'Confirm that you may use this face: it is yours, or the person agreed: {"consent": true}.',
    );
  throw new FaceOffError(
    'bad_field',
    'Send {"consent": true} and, if you like, "confirmedBy": a name of at most 80 characters.',
  );
}
