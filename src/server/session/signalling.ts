/** `/ws`: signalling and live control of the studio. A socket has at most one session, which ends with it. */

import type { WebSocket } from 'ws';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import type { FaceInfo, PresetInfo, ServerMessage } from '../../shared/messages.ts';
import type { SwapSettings } from '../../shared/types.ts';
import { errorBody } from '../http/error-reply.ts';
import { iceServersOf } from '../webrtc/ice-servers.ts';
import type { Guest, Member, Rooms } from './rooms.ts';
import type { Session } from './session.ts';
import { settingsFrom } from './session-settings.ts';
import type { SessionHooks, Sessions } from './sessions.ts';
import { STREAM_NAME, STUDIO, type Streams } from './streams.ts';

const Candidate = z.object({
  candidate: z.string().max(2000),
  sdpMid: z.string().max(64).nullable(),
  sdpMLineIndex: z.number().int().min(0).max(64).nullable(),
});

/** A name is one line, and has something to read in it. */
const Call = z.strictObject({
  room: z.string().max(64),
  name: z
    .string()
    .trim()
    .min(1)
    .max(40)
    .regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u),
  muted: z.boolean(),
  camera: z.boolean(),
});

const Message = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('offer'),
    // How long it may be is said where it is read.
    sdp: z.string(),
    settings: z.unknown().optional(),
    stream: z.string().regex(STREAM_NAME).optional(),
    again: z.string().max(64).optional(),
    call: Call.optional(),
  }),
  z.strictObject({ type: z.literal('candidate'), candidate: Candidate.nullable() }),
  z.strictObject({ type: z.literal('settings'), settings: z.unknown() }),
  z.strictObject({ type: z.literal('presence'), muted: z.boolean(), camera: z.boolean() }),
  z.strictObject({ type: z.literal('close') }),
]);

type Offer = Extract<z.infer<typeof Message>, { type: 'offer' }>;

const STATS_MS = 1000;
/** A socket that sends nothing but garbage is closed after so many messages. */
const MOST_GARBAGE = 20;
/** A socket that sends faster than it can be answered is closed at so many unanswered messages. */
const MOST_WAITING = 200;
/** A socket whose other end says nothing to so many pings, one a second, is dead. */
const MOST_SILENT = 15;

export interface Studio {
  version: string;
  defaults: SwapSettings;
  sessions: Sessions;
  streams: Streams;
  rooms: Rooms;
  config: Config;
  log: Logger;
  faces(): FaceInfo[];
  presets(): PresetInfo[];
}

/** The studio's sockets; a change of the faces or presets is told to all of them. */
export class Signalling {
  readonly #studio: Studio;
  readonly #sockets = new Set<StudioSocket>();

  constructor(studio: Studio) {
    this.#studio = studio;
  }

  accept(socket: WebSocket): void {
    const client = new StudioSocket(socket, this.#studio, () => this.#sockets.delete(client));
    this.#sockets.add(client);
  }

  facesChanged(): void {
    for (const client of this.#sockets) client.say({ type: 'faces', faces: this.#studio.faces() });
  }

  presetsChanged(): void {
    for (const client of this.#sockets) client.say({ type: 'presets', presets: this.#studio.presets() });
  }

  close(): void {
    for (const client of this.#sockets) client.close();
  }
}

class StudioSocket {
  readonly #socket: WebSocket;
  readonly #studio: Studio;
  #session: Session | null = null;
  /** The page's place in a call, which its session has. */
  #member: Member | null = null;
  #garbage = 0;
  #waiting = 0;
  #silent = 0;
  #iceToldAtMs = performance.now();
  #gone = false;
  readonly #ticker: NodeJS.Timeout;
  /** Messages are answered one after another. */
  #last: Promise<void> = Promise.resolve();

  constructor(socket: WebSocket, studio: Studio, onClose: () => void) {
    this.#socket = socket;
    this.#studio = studio;
    socket.on('message', (data: Buffer) => {
      this.#silent = 0;
      if (++this.#waiting > MOST_WAITING) socket.close(1008, 'too many messages at once');
      else this.#last = this.#last.then(() => this.#hear(data));
    });
    socket.on('pong', () => {
      this.#silent = 0;
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      this.#gone = true;
      clearInterval(this.#ticker);
      onClose();
      this.#session?.close('page closed');
    });
    this.#ticker = setInterval(() => this.#tick(), STATS_MS);
    const { version, defaults, config } = studio;
    const { webrtc, server } = config;
    this.say({
      ...{ type: 'hello', version, defaults },
      ...{ iceServers: iceServersOf(webrtc), locked: server.token !== null },
    });
    this.say({ type: 'faces', faces: studio.faces() });
    this.say({ type: 'presets', presets: studio.presets() });
  }

  say(message: ServerMessage): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    this.#socket.close(1001, 'server stopping');
  }

  #tick(): void {
    // A page that went away without a word does not answer pings either.
    if (++this.#silent > MOST_SILENT) this.#socket.terminate();
    else this.#socket.ping();
    this.#renewIce();
    if (this.#session !== null) this.say({ type: 'stats', stats: this.#session.stats });
  }

  /** User names for TURN servers run out; a page that has to come back needs one that has not. */
  #renewIce(): void {
    const { webrtc } = this.#studio.config;
    if (performance.now() - this.#iceToldAtMs < webrtc.turnLifetimeMs / 2) return;
    this.#iceToldAtMs = performance.now();
    this.say({ type: 'ice', iceServers: iceServersOf(webrtc) });
  }

  async #hear(data: Buffer): Promise<void> {
    this.#waiting--;
    // What was said before the page went away must not open a session for nobody.
    if (this.#gone) return;
    try {
      await this.#obey(this.#read(data));
    } catch (error) {
      const { body, status } = errorBody(error);
      if (status === 500)
        this.#studio.log.error({ error: error instanceof Error ? error.stack : String(error) }, 'signalling failed');
      this.say({ type: 'error', error: body });
    }
  }

  #read(data: Buffer): z.infer<typeof Message> {
    const parsed = Message.safeParse(parse(data));
    if (parsed.success) return parsed.data;
    if (++this.#garbage >= MOST_GARBAGE) this.#socket.close(1008, 'too many messages that make no sense');
    throw Object.assign(new Error(`The message makes no sense: ${z.prettifyError(parsed.error).slice(0, 300)}`), {
      statusCode: 400,
      code: 'bad_message',
    });
  }

  async #obey(message: z.infer<typeof Message>): Promise<void> {
    switch (message.type) {
      case 'offer': {
        await this.#answer(message);
        break;
      }
      case 'candidate': {
        if (message.candidate !== null) await this.#session?.addCandidate(message.candidate);
        break;
      }
      case 'settings': {
        // What is wrong is said whether or not there is a session.
        const patch = settingsFrom(message.settings);
        if (this.#session === null) break;
        this.#session.set(patch);
        this.say({ type: 'settings', settings: this.#session.settings });
        break;
      }
      case 'presence': {
        const { muted, camera } = message;
        this.#member?.show({ muted, camera });
        break;
      }
      case 'close': {
        this.#session?.close('stopped by the page');
        break;
      }
    }
  }

  /** Opens the session, or renegotiates it; a later offer that cannot be used leaves a live session as it is. */
  async #answer({ sdp: offer, settings, stream, again, call }: Offer): Promise<void> {
    const live = this.#session;
    const wanted = settingsFrom(settings ?? {});
    live?.set(wanted);
    // A page that lost its connection takes its place and name again, which the server may not have seen to be lost yet.
    if (again !== undefined && again !== live?.id) this.#studio.sessions.get(again)?.close('its page came back');
    const session = live ?? this.#begin(wanted, stream, call);
    try {
      const sdp = await session.answer(offer, false);
      this.say({ type: 'answer', session: session.id, stream: session.stream, sdp });
      this.say({ type: 'settings', settings: session.settings });
      this.#member?.show({});
    } catch (error) {
      if (live === null) session.close('offer refused');
      throw error;
    }
  }

  #begin(settings: Partial<SwapSettings>, wanted: string | undefined, call: Offer['call']): Session {
    const { streams, rooms } = this.#studio;
    // The first page has the usual name; a further one that wants none is found by its session.
    if (call === undefined) return this.#open(settings, wanted ?? (streams.isFree(STUDIO) ? STUDIO : undefined));
    const guest: Guest = { ...call, say: (message) => this.say(message) };
    const member = rooms.join(guest);
    this.#member = member;
    try {
      return this.#open(settings, member.stream);
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  #leave(): void {
    if (this.#member === null) return;
    this.#member.leave();
    this.#studio.streams.forget(this.#member.stream);
    this.#member = null;
  }

  #open(settings: Partial<SwapSettings>, stream: string | undefined): Session {
    const hooks: SessionHooks = {
      onCandidate: (candidate) => this.say({ type: 'candidate', candidate }),
      onSpeaking: (speaking) => this.#member?.speaks(speaking),
      onSettings: (all) => this.say({ type: 'settings', settings: all, elsewhere: true }),
      onClose: (why) => {
        this.#session = null;
        this.#leave();
        this.say({ type: 'closed', why });
      },
    };
    const session = this.#studio.sessions.open(settings, hooks, stream);
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
