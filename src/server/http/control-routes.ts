/**
 * `/api/sessions/:id/…` and `/api/streams/:name/…`: live changes of a session's settings, for programs and the keys
 * of a stream deck. A stream keeps its address; every session has another id.
 */

import type { FastifyInstance } from 'fastify';
import { FaceOffError } from '../../shared/errors.ts';
import type { FaceInfo } from '../../shared/messages.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';
import { SWITCHES, stepFace, toggled } from '../../shared/steps.ts';
import type { PresetStore } from '../session/presets.ts';
import type { Session } from '../session/session.ts';
import { settingsFrom } from '../session/session-settings.ts';
import type { Sessions } from '../session/sessions.ts';
import type { FaceTrials } from '../trial/face-trials.ts';
import { acceptAnyBody, jsonOf } from './json-body.ts';

/** What the control routes change, and what they choose from. */
export interface ControlParts {
  sessions: Sessions;
  presets: PresetStore;
  trials: FaceTrials;
  faces(): FaceInfo[];
}

interface Target {
  /** `target` is a session's id or a stream's name, `what` a preset's name. */
  Params: { target: string; what?: string };
}

/** Registers the routes; every change replies with all settings. A plugin, because it accepts bodies of any type. */
export function controlRoutes(app: FastifyInstance, { sessions, presets, trials, faces }: ControlParts): void {
  acceptAnyBody(app);
  app.post<Target & { Querystring: { face?: string } }>('/api/sessions/:target/preview', async (request, reply) => {
    const session = sessions.get(request.params.target) ?? gone(request.params.target);
    const picture = await trials.picture(session, request.query.face ?? '');
    return reply.type('image/jpeg').header('cache-control', 'no-store').send(Buffer.from(picture));
  });
  routesAt(app, '/api/sessions/:target', { presets, faces, find: (id) => sessions.get(id) ?? gone(id) });
  routesAt(app, '/api/streams/:target', { presets, faces, find: (name) => sessions.named(name) ?? unpublished(name) });
}

interface TargetRoutes extends Omit<ControlParts, 'sessions' | 'trials'> {
  find(target: string): Session;
}

function routesAt(app: FastifyInstance, at: string, { find, presets, faces }: TargetRoutes): void {
  const change = (session: Session, patch: SettingsPatch): SwapSettings => {
    session.set(patch, true);
    return session.settings;
  };

  app.get<Target>(`${at}/settings`, async ({ params }) => find(params.target).settings);

  app.patch<Target>(`${at}/settings`, async (request) =>
    change(find(request.params.target), settingsFrom(jsonOf(request))),
  );

  for (const [way, by] of [
    ['next', 1],
    ['previous', -1],
  ] as const) {
    app.post<Target>(`${at}/face/${way}`, async ({ params }) => {
      const session = find(params.target);
      return change(session, { face: stepFace(faces(), commonFace(session.settings), by) });
    });
  }

  app.post<Target>(`${at}/toggle`, async ({ params }) => {
    const session = find(params.target);
    return change(session, toggled(session.settings, 'on'));
  });
  for (const name of SWITCHES) {
    app.post<Target>(`${at}/toggle/${name}`, async ({ params }) => {
      const session = find(params.target);
      return change(session, toggled(session.settings, name));
    });
  }

  app.post<Target>(`${at}/preset/:what`, async ({ params }) =>
    change(find(params.target), presets.get(params.what!).settings),
  );
}

/** The face that all people get. @throws FaceOffError `each_their_own` (409) if each person has another one. */
function commonFace({ choice, face }: SwapSettings): string | null {
  if (choice !== 'mapped') return face;
  throw new FaceOffError('each_their_own', 'Each person has a face of their own. Change map, or set choice to all.');
}

function gone(id: string): never {
  throw new FaceOffError(
    'unknown_session',
    `There is no session ${id.slice(0, 64)}. GET /api/sessions lists those there are.`,
  );
}

function unpublished(name: string): never {
  throw new FaceOffError(
    'unknown_stream',
    `Nobody publishes ${name.slice(0, 64)} just now. GET /api/sessions lists those there are.`,
  );
}
