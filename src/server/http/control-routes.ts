/**
 * `/api/sessions/:id/…` and `/api/streams/:name/…`: live changes of a session's settings, for programs and the keys
 * of a stream deck. A stream keeps its address; every session has another id.
 */

import type { FastifyInstance } from 'fastify';
import { FaceOffError } from '../../shared/errors.ts';
import type { FaceInfo } from '../../shared/messages.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';
import { SWITCHES, stepFace, toggled } from '../../shared/steps.ts';
import type { WorkerStreams } from '../cluster/worker-streams.ts';
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
  /** Streams of a LiveKit cluster; null where none is set. */
  workerStreams: WorkerStreams | null;
  faces(): FaceInfo[];
}

/** What is controlled: a session here, or a stream that a worker swaps. */
interface ControlTarget {
  readonly settings: SwapSettings;
  /** @returns the settings that hold then. @throws FaceOffError `bad_settings` (400), `unknown_face` (404). */
  change(patch: SettingsPatch): SwapSettings | Promise<SwapSettings>;
}

interface Target {
  /** `target` is a session's id or a stream's name, `what` a preset's name. */
  Params: { target: string; what?: string };
}

/** Registers the routes; every change replies with all settings. A plugin, because it accepts bodies of any type. */
export function controlRoutes(
  app: FastifyInstance,
  { sessions, presets, trials, workerStreams, faces }: ControlParts,
): void {
  acceptAnyBody(app);
  app.post<Target & { Querystring: { face?: string } }>('/api/sessions/:target/preview', async (request, reply) => {
    const session = sessions.get(request.params.target) ?? gone(request.params.target);
    const picture = await trials.picture(session, request.query.face ?? '');
    return reply.type('image/jpeg').header('cache-control', 'no-store').send(Buffer.from(picture));
  });
  routesAt(app, '/api/sessions/:target', {
    presets,
    faces,
    find: (id) => targetOf(sessions.get(id) ?? gone(id)),
  });
  routesAt(app, '/api/streams/:target', {
    presets,
    faces,
    async find(name) {
      const session = sessions.named(name);
      if (session !== undefined) return targetOf(session);
      return (await workerStreams?.find(name)) ?? unpublished(name);
    },
  });
}

const targetOf = (session: Session): ControlTarget => ({
  settings: session.settings,
  change(patch) {
    session.set(patch, true);
    return session.settings;
  },
});

interface TargetRoutes extends Pick<ControlParts, 'presets' | 'faces'> {
  find(target: string): ControlTarget | Promise<ControlTarget>;
}

function routesAt(app: FastifyInstance, at: string, { find, presets, faces }: TargetRoutes): void {
  app.get<Target>(`${at}/settings`, async ({ params }) => (await find(params.target)).settings);

  app.patch<Target>(`${at}/settings`, async (request) => {
    const target = await find(request.params.target);
    return target.change(settingsFrom(jsonOf(request)));
  });

  for (const [way, by] of [
    ['next', 1],
    ['previous', -1],
  ] as const) {
    app.post<Target>(`${at}/face/${way}`, async ({ params }) => {
      const target = await find(params.target);
      return target.change({ face: stepFace(faces(), commonFace(target.settings), by) });
    });
  }

  app.post<Target>(`${at}/toggle`, async ({ params }) => {
    const target = await find(params.target);
    return target.change(toggled(target.settings, 'on'));
  });
  for (const name of SWITCHES) {
    app.post<Target>(`${at}/toggle/${name}`, async ({ params }) => {
      const target = await find(params.target);
      return target.change(toggled(target.settings, name));
    });
  }

  app.post<Target>(`${at}/preset/:what`, async ({ params }) => {
    const target = await find(params.target);
    return target.change(presets.get(params.what!).settings);
  });
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
