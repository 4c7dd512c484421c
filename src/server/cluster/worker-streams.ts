/** The settings of streams that workers of a LiveKit cluster swap, read and changed through LiveKit's API. */

import { setTimeout as delay } from 'node:timers/promises';
import type { LiveKitApi, LiveKitParticipant } from '../../livekit/livekit-api.ts';
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
    const state = await stateIn(this.#api, { stream, publisher });
    return state === null ? null : new WorkerStream(this.#api, { stream, publisher }, state);
  }
}

/** A stream's settings, as its job told them. */
export class WorkerStream {
  readonly #api: LiveKitApi;
  readonly #at: ClusterPublisher;
  #state: JobState;

  constructor(api: LiveKitApi, at: ClusterPublisher, state: JobState) {
    this.#api = api;
    this.#at = at;
    this.#state = state;
  }

  get settings(): SwapSettings {
    return this.#state.settings;
  }

  /**
   * Changes the publisher's attribute, which a job that takes over reads too, and waits for the job's answer.
   * @returns the settings that hold then; where no job answers, those that the next one will have.
   * @throws FaceOffError `bad_settings` (400) for what the job refused, `livekit_refused`, `livekit_unreachable` (502).
   */
  async change(patch: SettingsPatch): Promise<SwapSettings> {
    const { settings: before, problem: earlier } = this.#state;
    await this.#ask({ ...before, ...patch });
    for (const untilMs = performance.now() + ANSWER_WITHIN_MS; performance.now() < untilMs; await delay(POLL_MS)) {
      const state = await stateIn(this.#api, this.#at);
      if (state === null) continue;
      this.#state = state;
      if (areIn(patch, state.settings)) return state.settings;
      if (state.problem === undefined || state.problem === earlier) continue;
      // The next job must not meet what this one refused.
      await this.#ask(before);
      throw new FaceOffError('bad_settings', state.problem);
    }
    return { ...before, ...patch };
  }

  #ask(settings: SwapSettings): Promise<void> {
    const text = JSON.stringify(requestOf(settings));
    return this.#api.setAttributes(cameraRoom(this.#at), this.#at.publisher, { [SETTINGS_ATTRIBUTE]: text });
  }
}

/** What the newest job of a publisher says; null where none says anything. */
async function stateIn(api: LiveKitApi, at: ClusterPublisher): Promise<JobState | null> {
  const jobs = (await api.participants(cameraRoom(at)))
    .filter(({ identity, attributes }) => identity.startsWith(jobsOf(at.publisher)) && STATE_ATTRIBUTE in attributes)
    .sort((a: LiveKitParticipant, b: LiveKitParticipant) => b.joined_at_ms - a.joined_at_ms);
  const text = jobs[0]?.attributes[STATE_ATTRIBUTE];
  // A job's attributes are of its own making: no other token lets it be one.
  return text === undefined ? null : (JSON.parse(text) as JobState);
}
