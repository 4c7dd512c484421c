/** A server whose pipeline only hands pictures back: for tests of everything around it, without a model. */

import path from 'node:path';
import { pino } from 'pino';
import type { Config } from '../../src/config.ts';
import type { Faces } from '../../src/faces/face-service.ts';
import { Metrics } from '../../src/metrics.ts';
import { defaultSettings } from '../../src/pipeline/pool/lane-options.ts';
import type { Certificate } from '../../src/server/access/certificate.ts';
import { ServerEvents } from '../../src/server/hooks/server-events.ts';
import { buildServer, type Server } from '../../src/server/http/app.ts';
import { FaceOffError } from '../../src/shared/errors.ts';
import type { FaceInfo } from '../../src/shared/messages.ts';
import type { SettingsPatch, SwapSettings } from '../../src/shared/settings.ts';
import type { Frame, FrameResult, SwappedFrame, Swapping, SwapSession } from '../../src/shared/types.ts';
import { type Patch, patchedConfig } from './server.ts';

export class Echo implements Swapping {
  readonly #defaults: SwapSettings;
  readonly #open = new Set<string>();
  /** Set to lose every frame as a lane that dies does. */
  lost = false;
  level = 0;
  /** Backgrounds that are gone. */
  readonly withdrawn: string[] = [];
  /** What is said to have become of each frame. */
  result: FrameResult = 'passed';

  constructor(defaults: SwapSettings) {
    this.#defaults = defaults;
  }

  get openSessions(): number {
    return this.#open.size;
  }

  open(id: string, settings: SettingsPatch): SwapSession {
    checkFace(settings);
    this.#open.add(id);
    let now = { ...this.#defaults, ...settings };
    return {
      id,
      swap: (frame) => this.#swap(frame),
      set: (patch) => {
        checkFace(patch);
        now = { ...now, ...patch };
      },
      get settings() {
        return now;
      },
      close: () => void this.#open.delete(id),
    };
  }

  withdrawBackground(id: string): void {
    this.withdrawn.push(id);
  }

  pressure(): void {}

  async close(): Promise<void> {}

  async #swap(frame: Frame): Promise<SwappedFrame> {
    if (this.lost) throw new FaceOffError('lane_lost', 'A worker thread was lost.');
    const { level, result } = this;
    return { frame, result, hold: false, faces: [], stagesMs: {}, waitMs: 0, plan: `level ${level}`, level };
  }
}

function checkFace({ face }: SettingsPatch): void {
  if (face === 'nobody') throw new FaceOffError('unknown_face', 'There is no such face.');
}

export const noFaces: Faces = {
  follow: () => undefined,
  preview: () => Promise.reject(new Error('no faces here')),
  list: (): FaceInfo[] => [],
  add: () => Promise.reject(new FaceOffError('no_face', 'There is no face in the picture.')),
  consent: () => {
    throw new FaceOffError('unknown_face', 'There is no such face.');
  },
  confirm: () => Promise.reject(new FaceOffError('unknown_face', 'There is no such face.')),
  remove: () => Promise.reject(new FaceOffError('unknown_face', 'There is no such face.')),
  thumbnail: () => Promise.reject(new FaceOffError('unknown_face', 'There is no such face.')),
  report: () => Promise.reject(new FaceOffError('unknown_face', 'There is no such face.')),
  photo: () => Promise.reject(new FaceOffError('unknown_face', 'There is no such face.')),
  blocked: () => [],
  block: () => Promise.reject(new FaceOffError('no_face', 'There is no face in the picture.')),
  unblock: () => Promise.reject(new FaceOffError('unknown_blocked_face', 'There is no such face.')),
};

export interface EchoServer extends Server {
  url: string;
  pool: Echo;
  config: Config;
  metrics: Metrics;
  events: ServerEvents;
  /** What was logged, one object a line. */
  lines: { level: number; msg: string; [key: string]: unknown }[];
}

export async function startEcho(
  patch: Patch = {},
  certificate: Certificate | null = null,
  faces: Faces = noFaces,
): Promise<EchoServer> {
  const config = patchedConfig(patch);
  // What happens to be installed in the repository's cache changes no test that does not ask for it.
  config.models = { ...config.models, cacheDir: path.join(config.storage.dir, 'cache'), ...patch.models };
  const defaults = defaultSettings(config);
  const lines: EchoServer['lines'] = [];
  const log = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const pool = new Echo(defaults);
  const metrics = new Metrics(config.metrics);
  const events = new ServerEvents();
  const server = await buildServer({
    config,
    pool,
    faces,
    metrics,
    events,
    models: [],
    log,
    version: 'test',
    defaults,
    certificate,
  });
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  return { ...server, url, pool, metrics, config, events, lines };
}
