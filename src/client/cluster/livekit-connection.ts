/** A page's camera to a worker of a LiveKit cluster and back. */

import { ConnectionError, ConnectionErrorReason } from 'livekit-client';
import { requestOf } from '../../shared/duties/disclosure-duty.ts';
import type { CameraState } from '../../shared/messages.ts';
import type { SettingsPatch } from '../../shared/settings.ts';
import { backoffMs } from '../lib/backoff.ts';
import type {
  ConnectionConf,
  PlayerConf,
  PresenceInCall,
  StreamConnection,
  StreamPlayer,
} from '../peer/connection-conf.ts';
import type { StatsEntry } from '../peer/network-stats.ts';
import { PageSocket } from '../peer/page-socket.ts';
import {
  isActive,
  nextState,
  type Reason,
  refusalText,
  retryAfterMs,
  type Situation,
  type State,
} from '../peer/stream-state.ts';
import { askForWorker, askToPublish, type PublisherPass, RefusedRequest } from './cluster-requests.ts';
import { PublisherRooms } from './publisher-rooms.ts';
import { SettingsExchange } from './settings-exchange.ts';
import { WorkerWatch } from './worker-watch.ts';

/** The name of the first page's stream, if it asks for none. */
const FIRST_NAME = 'studio';
const WATCH_EVERY_MS = 250;
/** While a slider moves, settings go out no more often than this. */
const SETTINGS_EVERY_MS = 50;
/** A picture that stands for so long is one that is missed. */
const MISSED_MS = 3000;

/** One entry into the rooms, from the tokens to the end. */
interface Entry {
  rooms: PublisherRooms | null;
  exchange: SettingsExchange;
  /** Null until the camera is published. */
  watch: WorkerWatch | null;
  pass: PublisherPass | null;
  /** Whether a picture was shown. */
  isShown: boolean;
  /** Since when no picture comes; null while they come. */
  stillSinceMs: number | null;
  place: number | null;
}

/**
 * The server gives out tokens and workers, and tells its news by the WebSocket as to every page; pictures and settings go
 * through LiveKit, and go on while the server is away.
 */
export class LiveKitConnection implements StreamConnection {
  readonly #conf: ConnectionConf;
  readonly #socket: PageSocket;
  #state: State = 'idle';
  #track: MediaStreamTrack | null = null;
  #sound: MediaStreamTrack | null = null;
  #entry: Entry | null = null;
  /** A name of this page's own, once the first name was found taken. */
  #ownName: string | null = null;
  #failures = 0;
  /** The situation that the page was last told. */
  #told = '';
  #settingsTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(conf: ConnectionConf) {
    this.#conf = conf;
    this.#socket = new PageSocket(conf, {
      onDown: (reason) => {
        if (!isActive(this.#state)) conf.onAway(reason);
      },
    });
    setInterval(() => void this.#beat(), WATCH_EVERY_MS);
    addEventListener('online', () => this.retry());
    // A page that comes back from the browser's cache finds its rooms left.
    addEventListener('pageshow', ({ persisted }) => persisted && this.retry());
  }

  start(track: MediaStreamTrack, sound: MediaStreamTrack | null = null): void {
    this.#drop();
    this.#failures = 0;
    this.#told = '';
    this.#track = track;
    this.#sound = sound;
    this.#become({ state: nextState(this.#state, 'start'), reason: 'connecting' });
    this.retry();
  }

  async replace(track: MediaStreamTrack): Promise<void> {
    this.#track = track;
    await this.#entry?.rooms?.replaceCamera(track).catch(() => this.#reconnect('connecting'));
  }

  async replaceSound(track: MediaStreamTrack | null): Promise<void> {
    this.#sound = track;
    await this.#entry?.rooms?.publishSound(track).catch(() => this.#reconnect('connecting'));
  }

  stop(): void {
    this.#track = null;
    this.#sound = null;
    this.#drop();
    this.#state = nextState(this.#state, 'stop');
  }

  retry(): void {
    if (!this.#socket.isOpen) this.#socket.retry();
    void this.#open();
  }

  set(patch: SettingsPatch): void {
    const entry = this.#entry;
    if (entry === null) return;
    entry.exchange.change(patch);
    clearTimeout(this.#settingsTimer);
    this.#settingsTimer = setTimeout(() => entry.exchange.flush(), SETTINGS_EVERY_MS);
  }

  tellPresence({ muted, camera }: PresenceInCall): void {
    const call = this.#conf.call?.();
    const { rooms, watch } = this.#entry ?? {};
    if (call === undefined || !rooms || !watch) return;
    void rooms.tellPerson({ name: call.name, camera }, muted).catch(() => undefined);
  }

  tellCamera(state: CameraState): void {
    this.#socket.tellCamera(state);
  }

  follow(on: boolean): void {
    this.#socket.follow(on);
  }

  watch(conf: PlayerConf): StreamPlayer {
    // People are told of by the rooms alone.
    return this.#entry!.rooms!.watch(conf);
  }

  async network(): Promise<Iterable<StatsEntry>> {
    return (await this.#entry?.rooms?.stats()) ?? [];
  }

  async #open(): Promise<void> {
    if (this.#entry !== null || this.#track === null || !isActive(this.#state)) return;
    clearTimeout(this.#retryTimer);
    const settings = this.#conf.settings();
    const entry: Entry = {
      rooms: null,
      exchange: this.#exchange(settings),
      watch: null,
      pass: null,
      isShown: false,
      stillSinceMs: null,
      place: null,
    };
    this.#entry = entry;
    this.#conf.onSent();
    this.#become({ state: this.#state, reason: 'connecting' });
    try {
      await this.#enter(entry, settings);
    } catch (error) {
      if (entry === this.#entry) this.#onFailed(error);
    }
  }

  async #enter(entry: Entry, settings: SettingsPatch): Promise<void> {
    const call = this.#conf.call?.();
    const asked = call?.room ?? this.#conf.stream();
    const pass = await askToPublish(asked ?? this.#ownName ?? FIRST_NAME, requestOf(settings));
    if (entry !== this.#entry) return;
    const rooms = new PublisherRooms(pass, {
      onVideo: (stream) => this.#onVideo(entry, stream),
      onState: (text) => entry.exchange.heard(text),
      onStats: (stats) => {
        if (entry !== this.#entry || this.#state !== 'live') return;
        rooms.limitRate(stats.maxFps);
        this.#conf.onStats(stats);
      },
      onPeople: (people, you) => {
        if (entry === this.#entry) this.#conf.onRoom?.(people, you);
      },
      onShaky: () => this.#become({ state: nextState(this.#state, 'lost'), reason: 'lost' }),
      onGone: () => {
        if (entry === this.#entry) this.#reconnect('lost');
      },
    });
    entry.rooms = rooms;
    entry.pass = pass;
    await rooms.enter();
    if (entry !== this.#entry) return;
    if (call === undefined && rooms.isTaken) {
      if (asked === undefined) this.#ownName = crypto.randomUUID();
      this.#reconnect(asked === undefined ? 'connecting' : 'taken');
      return;
    }
    const track = this.#track!;
    await Promise.all([rooms.publishCamera(track), rooms.publishSound(this.#sound)]);
    if (entry !== this.#entry) return;
    // Another camera may have been chosen meanwhile.
    if (track !== this.#track) await rooms.replaceCamera(this.#track!);
    entry.watch = new WorkerWatch(performance.now());
    this.#conf.onStream(pass.stream);
    if (call !== undefined) this.tellPresence(call);
    if (this.#state !== 'live') this.#become({ state: this.#state, reason: 'waiting' });
  }

  #exchange(settings: SettingsPatch): SettingsExchange {
    return new SettingsExchange(settings, {
      send: (wanted) => void this.#entry?.rooms?.tell(wanted).catch(() => undefined),
      onSent: () => this.#conf.onSent(),
      onSettings: (now, elsewhere) => this.#conf.onSettings(now, elsewhere),
      onRefused: (message) => this.#conf.onError({ code: 'bad_settings', message }),
    });
  }

  #onVideo(entry: Entry, stream: MediaStream | null): void {
    // Null: the last picture stands until the next one is there.
    if (entry !== this.#entry || stream === null) return;
    void this.#conf.onVideo(stream).then(() => {
      if (entry !== this.#entry) return;
      this.#failures = 0;
      entry.isShown = true;
      this.#become({ state: nextState(this.#state, 'picture'), reason: 'live' });
    });
  }

  /** Looks whether pictures come, and asks for another worker where they do not. */
  async #beat(): Promise<void> {
    const entry = this.#entry;
    const { rooms, watch, pass } = entry ?? {};
    if (entry === null || !rooms || !watch || !pass) return;
    const frames = await rooms.frames();
    if (entry !== this.#entry) return;
    const nowMs = performance.now();
    const needsWorker = watch.needsWorker({ frames, hasJob: rooms.hasJob, nowMs });
    this.#showProgress(entry, watch.isMoving(nowMs), nowMs);
    if (!needsWorker) return;
    // Without an answer the next request tells more.
    const place = await askForWorker(pass.stream, pass.publisher).catch(() => entry.place);
    if (entry !== this.#entry || watch.isMoving(performance.now())) return;
    entry.place = place;
    if (place !== null) this.#become({ state: nextState(this.#state, 'lost'), reason: 'in_line', place });
  }

  #showProgress(entry: Entry, isMoving: boolean, nowMs: number): void {
    if (isMoving) {
      entry.place = null;
      entry.stillSinceMs = null;
      if (entry.isShown && this.#state !== 'live')
        this.#become({ state: nextState(this.#state, 'picture'), reason: 'live' });
      return;
    }
    entry.stillSinceMs ??= nowMs;
    const isMissed = this.#state === 'live' && nowMs - entry.stillSinceMs > MISSED_MS;
    if (isMissed) this.#become({ state: nextState(this.#state, 'lost'), reason: 'takeover' });
  }

  #onFailed(error: unknown): void {
    if (error instanceof RefusedRequest) {
      // The server answers a reload with the login page.
      if (error.status === 401) location.reload();
      const { event, reason, message } = refusalText(error.body);
      if (event === 'lost') {
        this.#reconnect(reason, { message, code: error.body.code, waitMs: retryAfterMs(error.body.details) });
        return;
      }
      this.#drop();
      this.#become({ state: nextState(this.#state, 'refused'), reason, message, code: error.body.code });
    } else {
      this.#reconnect(isPathless(error) ? 'no_way' : 'lost');
    }
  }

  /** Leaves the rooms, and enters them again after the back-off. */
  #reconnect(
    reason: Reason,
    { waitMs = null, ...said }: Pick<Situation, 'message' | 'code'> & { waitMs?: number | null } = {},
  ): void {
    if (!isActive(this.#state)) return;
    this.#drop();
    this.#become({ state: nextState(this.#state, 'lost'), reason, ...said });
    this.#retryTimer = setTimeout(() => void this.#open(), waitMs ?? backoffMs(this.#failures++));
  }

  #drop(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#settingsTimer);
    const entry = this.#entry;
    if (entry === null) return;
    this.#entry = null;
    entry.rooms?.close();
    this.#conf.onStream(null);
  }

  #become(situation: Situation): void {
    this.#state = situation.state;
    // A place in line is found out each second.
    const told = JSON.stringify(situation);
    if (told === this.#told) return;
    this.#told = told;
    this.#conf.onSituation(situation);
  }
}

/** Whether LiveKit answered, and no pictures get through to it. */
const isPathless = (error: unknown): boolean =>
  error instanceof ConnectionError &&
  [ConnectionErrorReason.InternalError, ConnectionErrorReason.Timeout].includes(error.reason);
