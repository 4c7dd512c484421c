import type { WebSocket } from 'ws';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import { errorBody } from '../../lib/error-body.ts';
import type { Logger } from '../../lib/log.ts';
import { SerialQueue } from '../../lib/serial.ts';
import { textSchema } from '../../lib/text-schema.ts';
import type { Metrics } from '../../metrics.ts';
import type { CameraState, FaceInfo, PhoneGuide, PresetInfo, ServerMessage } from '../../shared/messages.ts';
import type { SettingsPatch, SwapSettings } from '../../shared/settings.ts';
import type { Arrivals, OpenPage } from '../access/arrivals.ts';
import type { Guest, Member, Rooms } from '../session/rooms.ts';
import type { Session } from '../session/session.ts';
import { settingsFrom } from '../session/session-settings.ts';
import type { SessionHooks, Sessions } from '../session/sessions.ts';
import { STREAM_NAME, STUDIO_STREAM, type Streams } from '../session/streams.ts';
import { iceServersOf } from '../webrtc/ice-servers.ts';

const Candidate = z.object({
  candidate: textSchema(0, 2000),
  sdpMid: textSchema(0, 64).nullable(),
  sdpMLineIndex: z.number().int().min(0).max(64).nullable(),
});

/** A person's name is one line and not empty. */
const Call = z.strictObject({
  room: textSchema(0, 64),
  name: z
    .string()
    .trim()
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,40}$/u),
  muted: z.boolean(),
  camera: z.boolean(),
});

const CAMERA_STATES = [
  'off',
  'asking',
  'open',
  'insecure',
  'denied',
  'denied_by_system',
  'no_camera',
  'unplugged',
  'busy',
  'unfit',
  'camera_failed',
] as const satisfies readonly CameraState[];

const Message = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('offer'),
    // `rebuildOffer` limits its length.
    sdp: z.string(),
    settings: z.unknown().optional(),
    stream: z.string().regex(STREAM_NAME).optional(),
    again: textSchema(0, 64).optional(),
    call: Call.optional(),
  }),
  z.strictObject({ type: z.literal('candidate'), candidate: Candidate.nullable() }),
  z.strictObject({ type: z.literal('settings'), settings: z.unknown() }),
  z.strictObject({ type: z.literal('presence'), muted: z.boolean(), camera: z.boolean() }),
  z.strictObject({ type: z.literal('camera'), state: z.enum(CAMERA_STATES) }),
  z.strictObject({ type: z.literal('guide'), on: z.boolean() }),
  z.strictObject({ type: z.literal('close') }),
]);

type Offer = Extract<z.infer<typeof Message>, { type: 'offer' }>;

const STATS_MS = 1000;
/** A socket is closed after this many messages that cannot be parsed. */
const MOST_MALFORMED = 20;
/** A socket is closed when this many of its messages wait for their answers. */
const MOST_UNANSWERED = 200;
/** A socket is dead after this many pings without an answer, one per second. */
const MOST_MISSED_PONGS = 15;
/** A socket is dead where so many bytes wait that its page does not take. */
const MOST_UNSENT = 4 * 2 ** 20;

/** What the studio's sockets need of the server. */
export interface SignallingParts {
  version: string;
  defaults: SwapSettings;
  sessions: Sessions;
  streams: Streams;
  rooms: Rooms;
  config: Config;
  metrics: Metrics;
  log: Logger;
  arrivals: Arrivals;
  faces(): FaceInfo[];
  presets(): PresetInfo[];
  /** The part of the guide for a phone that is the same all the time. */
  reach(): Pick<PhoneGuide, 'urls' | 'selfSigned'>;
}

/** The server side of `/ws`: signalling and live control of the studio's pages, one socket per page. */
export class Signalling {
  readonly #parts: SignallingParts;
  readonly #sockets = new Set<StudioSocket>();

  constructor(parts: SignallingParts) {
    this.#parts = parts;
  }

  /** Serves a page over its WebSocket until the socket closes. @param device that the page is on, as `deviceOf` says. */
  accept(socket: WebSocket, device: string | null): void {
    const studioSocket = new StudioSocket(socket, device, this.#parts, {
      onClose: () => this.#sockets.delete(studioSocket),
      pages: () => [...this.#sockets],
    });
    this.#sockets.add(studioSocket);
  }

  /** Sends the list of faces to all pages. */
  facesChanged(): void {
    for (const socket of this.#sockets) socket.send({ type: 'faces', faces: this.#parts.faces() });
  }

  /** Sends the list of presets to all pages. */
  presetsChanged(): void {
    for (const socket of this.#sockets) socket.send({ type: 'presets', presets: this.#parts.presets() });
  }

  /** Closes all sockets, and with them their sessions. */
  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

/** What a socket's owner is asked and told. */
interface SocketHooks {
  onClose(): void;
  /** All open pages. */
  pages(): OpenPage[];
}

/** One page's socket. It has at most one session, which ends with the socket. */
class StudioSocket implements OpenPage {
  readonly device: string | null;
  /** What the page last said of its camera. */
  camera: CameraState = 'off';
  readonly #socket: WebSocket;
  readonly #parts: SignallingParts;
  readonly #hooks: SocketHooks;
  /** Ends following; null while the page does not show the guide. */
  #unfollow: (() => void) | null = null;
  /** The guide that the page was last sent, as JSON. */
  #guide = '';
  #session: Session | null = null;
  /** The page's place in a call; it belongs to the session and ends with it. */
  #member: Member | null = null;
  #malformed = 0;
  #unanswered = 0;
  #missedPongs = 0;
  #iceSentAtMs = performance.now();
  #closed = false;
  readonly #ticker: NodeJS.Timeout;
  /** Handles the messages one after another. */
  readonly #messages = new SerialQueue();

  constructor(socket: WebSocket, device: string | null, parts: SignallingParts, hooks: SocketHooks) {
    this.device = device;
    this.#socket = socket;
    this.#parts = parts;
    this.#hooks = hooks;
    socket.on('message', (data: Buffer) => {
      this.#missedPongs = 0;
      if (++this.#unanswered > MOST_UNANSWERED) socket.close(1008, 'too many messages at once');
      else void this.#messages.run(() => this.#receive(data));
    });
    socket.on('pong', () => {
      this.#missedPongs = 0;
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      this.#closed = true;
      clearInterval(this.#ticker);
      this.#follow(false);
      hooks.onClose();
      this.#session?.close('page closed');
    });
    this.#ticker = setInterval(() => this.#tick(), STATS_MS);
    const { version, defaults, config } = parts;
    const { webrtc, server } = config;
    this.send({
      type: 'hello',
      version,
      defaults,
      iceServers: iceServersOf(webrtc),
      locked: server.token !== null,
    });
    this.send({ type: 'faces', faces: parts.faces() });
    this.send({ type: 'presets', presets: parts.presets() });
  }

  /** Name of the page's stream, while it shows pictures. */
  get liveStream(): string | null {
    return this.#session === null || this.#session.picture === null ? null : this.#session.stream;
  }

  send(message: ServerMessage): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify(message));
    if (socket.bufferedAmount > MOST_UNSENT) socket.terminate();
  }

  close(): void {
    this.#socket.close(1001, 'server stopping');
  }

  #tick(): void {
    // A page that vanished without closing its socket does not answer pings.
    if (++this.#missedPongs > MOST_MISSED_PONGS) this.#socket.terminate();
    else this.#socket.ping();
    this.#renewIce();
    this.#sendGuide();
    if (this.#session !== null) this.send({ type: 'stats', stats: this.#session.stats });
  }

  /** The page shows the guide for a phone, or hides it. */
  #follow(on: boolean): void {
    if (on === (this.#unfollow !== null)) return;
    this.#unfollow?.();
    this.#unfollow = on ? this.#parts.arrivals.follow(this.device) : null;
    this.#guide = '';
    this.#sendGuide();
  }

  #sendGuide(): void {
    if (this.#unfollow === null) return;
    const { arrivals, reach } = this.#parts;
    const guide: PhoneGuide = { ...reach(), ...arrivals.furthest(this.#hooks.pages()) };
    const text = JSON.stringify(guide);
    if (text === this.#guide) return;
    this.#guide = text;
    this.send({ type: 'guide', guide });
  }

  /** User names for TURN servers expire; a page that reconnects needs a valid one. */
  #renewIce(): void {
    const { webrtc } = this.#parts.config;
    if (performance.now() - this.#iceSentAtMs < webrtc.turnLifetimeMs / 2) return;
    this.#iceSentAtMs = performance.now();
    this.send({ type: 'ice', iceServers: iceServersOf(webrtc) });
  }

  async #receive(data: Buffer): Promise<void> {
    this.#unanswered--;
    // A message that was queued before the page left must not open a session.
    if (this.#closed) return;
    try {
      await this.#dispatch(this.#parse(data));
    } catch (error) {
      const { body, status } = errorBody(error);
      if (status === 500)
        this.#parts.log.error(
          { session: this.#session?.id, error: error instanceof Error ? error.stack : String(error) },
          'signalling failed',
        );
      this.#parts.metrics.error(body.code);
      this.send({ type: 'error', error: body });
    }
  }

  #parse(data: Buffer): z.infer<typeof Message> {
    const parsed = Message.safeParse(parse(data));
    if (parsed.success) return parsed.data;
    if (++this.#malformed >= MOST_MALFORMED) this.#socket.close(1008, 'too many messages that make no sense');
    throw Object.assign(new Error(`The message makes no sense: ${z.prettifyError(parsed.error).slice(0, 300)}`), {
      statusCode: 400,
      code: 'bad_message',
    });
  }

  async #dispatch(message: z.infer<typeof Message>): Promise<void> {
    switch (message.type) {
      case 'offer': {
        await this.#answerOffer(message);
        break;
      }
      case 'candidate': {
        if (message.candidate !== null) await this.#session?.peer.addCandidate(message.candidate);
        break;
      }
      case 'settings': {
        // Invalid settings are reported even without a session.
        const patch = settingsFrom(message.settings);
        if (this.#session === null) break;
        this.#session.set(patch);
        this.send({ type: 'settings', settings: this.#session.settings });
        break;
      }
      case 'presence': {
        const { muted, camera } = message;
        this.#member?.update({ muted, camera });
        break;
      }
      case 'camera': {
        this.camera = message.state;
        break;
      }
      case 'guide': {
        this.#follow(message.on);
        break;
      }
      case 'close': {
        this.#session?.close('stopped by the page');
        break;
      }
    }
  }

  /** Opens the session or renegotiates it; an unusable later offer leaves the live session as it is. */
  async #answerOffer({ sdp: offer, settings, stream, again, call }: Offer): Promise<void> {
    const live = this.#session;
    const wanted = settingsFrom(settings ?? {});
    live?.set(wanted);
    // A page that lost its connection takes its place and name back; the server may not have noticed the loss yet.
    if (again !== undefined && again !== live?.id) this.#parts.sessions.get(again)?.close('its page came back');
    const session = live ?? this.#beginSession(wanted, stream, call);
    try {
      const sdp = await session.peer.answer(offer, false);
      this.send({ type: 'answer', session: session.id, stream: session.stream, sdp });
      this.send({ type: 'settings', settings: session.settings });
      this.#member?.update({});
    } catch (error) {
      if (live === null) session.close('offer refused');
      throw error;
    }
  }

  #beginSession(settings: SettingsPatch, wanted: string | undefined, call: Offer['call']): Session {
    const { streams, rooms } = this.#parts;
    // The first page gets the usual name; a further page that asks for no name is found by its session's id.
    if (call === undefined)
      return this.#openSession(settings, wanted ?? (streams.isFree(STUDIO_STREAM) ? STUDIO_STREAM : undefined));
    const guest: Guest = { ...call, send: (message) => this.send(message) };
    const member = rooms.join(guest);
    this.#member = member;
    try {
      return this.#openSession(settings, member.stream);
    } catch (error) {
      this.#leaveCall();
      throw error;
    }
  }

  #leaveCall(): void {
    if (this.#member === null) return;
    this.#member.leave();
    this.#parts.streams.forget(this.#member.stream);
    this.#member = null;
  }

  #openSession(settings: SettingsPatch, stream: string | undefined): Session {
    const hooks: SessionHooks = {
      isPreview: true,
      onCandidate: (candidate) => this.send({ type: 'candidate', candidate }),
      onSpeaking: (speaking) => this.#member?.setSpeaking(speaking),
      onSettings: (all) => this.send({ type: 'settings', settings: all, elsewhere: true }),
      onClose: (why) => {
        this.#session = null;
        this.#leaveCall();
        this.send({ type: 'closed', why });
      },
    };
    const session = this.#parts.sessions.open(settings, hooks, stream);
    this.#session = session;
    return session;
  }
}

function parse(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    return undefined;
  }
}
