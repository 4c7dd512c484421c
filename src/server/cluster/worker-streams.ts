/** The settings of streams that workers of a LiveKit cluster swap, read and changed through LiveKit's API. */

import { setTimeout as delay } from 'node:timers/promises';
import type { LiveKitApi } from '../../livekit/livekit-api.ts';
import { type ClusterPublisher, cameraRoom, isStreamName } from '../../livekit/room-names.ts';
import {
  isJob,
  jobsOf,
  ON_BEHALF_ATTRIBUTE,
  SETTINGS_ATTRIBUTE,
  STATE_ATTRIBUTE,
} from '../../shared/cluster/cluster-names.ts';
import { areIn, type JobState } from '../../shared/cluster/job-state.ts';
import { requestOf } from '../../shared/duties/disclosure-duty.ts';
import { FaceOffError } from '../../shared/errors.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';
import { settingsFrom } from '../session/session-settings.ts';

/** A job looks for an added face for five seconds before it refuses one. */
const ANSWER_WITHIN_MS = 6000;
const POLL_MS = 100;

/** Main thread. Each call asks LiveKit: nothing is remembered, so that several servers can do the same. */
export class WorkerStreams {
  readonly #api: LiveKitApi;

  constructor(api: LiveKitApi) {
    this.#api = api;
  }

  /**
   * A stream that one publisher's job shows.
   * @returns null where there is none, and where several publishers share the room, as in a call.
   * @throws FaceOffError `livekit_refused`, `livekit_unreachable` (502).
   */
  async find(stream: string): Promise<WorkerStream | null> {
    if (!isStreamName(stream)) return null;
    const jobs = (await this.#api.participants(stream)).filter(({ identity }) => isJob(identity));
    const publishers = new Set(jobs.map(({ attributes }) => attributes[ON_BEHALF_ATTRIBUTE]));
    const [publisher] = publishers;
    if (publisher === undefined || publishers.size > 1) return null;
    const at = { stream, publisher };
    const { asked, state } = await lookInto(this.#api, at);
    return state === null ? null : new WorkerStream(this.#api, at, { asked, state });
  }
}

/** What a publisher's attribute asks for, as text, and what its newest job says holds; null where none says anything. */
interface Look {
  asked: string;
  state: JobState | null;
}

/** A stream's settings. */
export class WorkerStream {
  readonly #api: LiveKitApi;
  readonly #at: ClusterPublisher;
  readonly #asked: string;
  readonly #problem: string | undefined;
  /** Those that were asked for last: the job may not have them yet, as where a slider moves. */
  readonly settings: SwapSettings;

  constructor(api: LiveKitApi, at: ClusterPublisher, { asked, state }: Look & { state: JobState }) {
    this.#api = api;
    this.#at = at;
    this.#asked = asked;
    this.#problem = state.problem;
    // What the job refused does not hold.
    this.settings = state.problem === undefined ? { ...state.settings, ...patchIn(asked) } : state.settings;
  }

  /**
   * Changes the publisher's attribute, which a job that takes over reads too, and waits for the job's answer.
   * @returns the settings that hold then; where no job answers, those that the next one will have.
   * @throws FaceOffError `bad_settings` (400) for what the job refused, `livekit_refused`, `livekit_unreachable` (502).
   */
  async change(patch: SettingsPatch): Promise<SwapSettings> {
    const wanted = { ...this.settings, ...patch };
    const text = textOf(wanted);
    await this.#ask(text);
    for (const untilMs = performance.now() + ANSWER_WITHIN_MS; performance.now() < untilMs; await delay(POLL_MS)) {
      const { asked, state } = await lookInto(this.#api, this.#at);
      if (state === null) continue;
      // LiveKit may list the attribute of before for a moment. Any other is a newer change, which the job answers instead.
      const isOvertaken = asked !== text && asked !== this.#asked;
      if (isOvertaken || areIn(patch, state.settings)) return state.settings;
      if (state.problem === undefined || state.problem === this.#problem) continue;
      // The next job must not meet what this one refused.
      await this.#ask(textOf(this.settings));
      throw new FaceOffError('bad_settings', state.problem);
    }
    return wanted;
  }

  #ask(text: string): Promise<void> {
    return this.#api.setAttributes(cameraRoom(this.#at), this.#at.publisher, { [SETTINGS_ATTRIBUTE]: text });
  }
}

const textOf = (settings: SwapSettings): string => JSON.stringify(requestOf(settings));

/** The settings in a publisher's attribute, which is of its page's making; none in one that cannot be used. */
function patchIn(asked: string): SettingsPatch {
  try {
    return settingsFrom(JSON.parse(asked));
  } catch {
    return {};
  }
}

async function lookInto(api: LiveKitApi, at: ClusterPublisher): Promise<Look> {
  const there = await api.participants(cameraRoom(at));
  const publisher = there.find(({ identity }) => identity === at.publisher);
  const [newest] = there
    .filter(({ identity, attributes }) => identity.startsWith(jobsOf(at.publisher)) && STATE_ATTRIBUTE in attributes)
    .sort((a, b) => b.joined_at_ms - a.joined_at_ms);
  const text = newest?.attributes[STATE_ATTRIBUTE];
  return {
    asked: publisher?.attributes[SETTINGS_ATTRIBUTE] ?? '',
    // A job's attributes are its own: no other token lets a participant be one.
    state: text === undefined ? null : (JSON.parse(text) as JobState),
  };
}
