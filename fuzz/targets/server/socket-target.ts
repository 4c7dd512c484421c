import type WebSocket from 'ws';
import type { ServerMessage } from '../../../src/shared/messages.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { type Json, mutatedJson } from '../../mutate/mutate-json.ts';
import { mutatedOffer } from '../../mutate/mutate-offer.ts';
import type { Random } from '../../mutate/random.ts';
import { checkForStack, Defect, type Target } from '../../run/target.ts';
import { SETTINGS_SAMPLES, SETTINGS_WORDS } from '../parsers/message-target.ts';
import { CANDIDATES, realOffers } from '../parsers/offer-samples.ts';
import { FuzzServer } from './fuzz-server.ts';

/** A setting that there is not: its refusal says that every message before it was handled. */
const BARRIER = 'fuzz-barrier';
const call = { room: 'room', name: 'Ada', muted: false, camera: true };
/** Every kind of message; an offer is put in where its SDP is empty. */
const MESSAGES: readonly Json[] = [
  { type: 'offer', sdp: 'v=0' },
  { type: 'offer', sdp: 'v=0', settings: SETTINGS_SAMPLES[1]!, stream: 'cam', again: 'x', call },
  { type: 'candidate', candidate: { candidate: CANDIDATES[0]!, sdpMid: '0', sdpMLineIndex: 0 } },
  { type: 'candidate', candidate: { candidate: CANDIDATES[1]!, sdpMid: null, sdpMLineIndex: 0 } },
  { type: 'candidate', candidate: null },
  ...SETTINGS_SAMPLES.map((settings): Json => ({ type: 'settings', settings })),
  { type: 'presence', muted: true, camera: false },
  { type: 'camera', state: 'open' },
  { type: 'guide', on: true },
  { type: 'guide', on: false },
  { type: 'close' },
];
const TERMS = [
  ...SETTINGS_WORDS,
  'offer',
  'candidate',
  'settings',
  'presence',
  'camera',
  'guide',
  'denied',
  'close',
  'type',
  'sdp',
  'call',
  'again',
  ...CANDIDATES,
];
const OFFERS = 0.04;

function made(random: Random): Buffer {
  if (random.chance(OFFERS)) {
    const offer = { type: 'offer', sdp: mutatedOffer(realOffers, random), ...(random.chance(0.3) && { call }) };
    return Buffer.from(JSON.stringify(offer));
  }
  if (random.chance(0.08)) return mutatedBytes([Buffer.from(JSON.stringify(random.one(MESSAGES)))], random);
  return Buffer.from(mutatedJson(MESSAGES, random, TERMS));
}

/** A socket with its session, used by one input after another until the server closes it. */
class FuzzSocket {
  readonly #socket: WebSocket;
  #onBarrier: (isOpen: boolean) => void = () => undefined;
  #wrong: Defect | null = null;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#hear(String(data)));
    socket.once('close', () => this.#onBarrier(false));
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** Sends a message and waits until the server has handled it. @returns whether the socket is still open. */
  async send(message: Buffer): Promise<boolean> {
    const handled = new Promise<boolean>((resolve) => {
      this.#onBarrier = resolve;
    });
    this.#socket.send(message, { binary: false });
    this.#socket.send(JSON.stringify({ type: 'settings', settings: { [BARRIER]: true } }));
    const isOpen = this.isOpen && (await handled);
    const wrong = this.#wrong;
    this.#wrong = null;
    if (wrong !== null) throw wrong;
    return isOpen;
  }

  #hear(text: string): void {
    const message = JSON.parse(text) as ServerMessage;
    if (message.type !== 'error') return;
    try {
      checkForStack(message.error.message);
    } catch (error) {
      this.#wrong = error as Defect;
    }
    if (message.error.code === 'internal') this.#wrong = new Defect('status 500', `an answer is ${text.slice(0, 300)}`);
    if ((message.error.details as { fields?: string[] } | undefined)?.fields?.includes(BARRIER)) this.#onBarrier(true);
  }

  close(): void {
    this.#socket.terminate();
  }
}

/** Messages on the WebSockets of pages. */
export const socketTarget: Target = {
  name: 'socket',
  reads: 'WebSocket messages',
  share: 2.5,
  parallel: 8,
  growthBytes: 160 * 2 ** 20,
  async open(folder) {
    const server = await FuzzServer.start(folder);
    const free: FuzzSocket[] = [];
    return {
      make: made,
      async feed(input) {
        await server.ready();
        const before = free.pop();
        const socket = before?.isOpen ? before : new FuzzSocket(await server.openSocket());
        const isOpen = await socket.send(input);
        server.check();
        if (isOpen) free.push(socket);
        return isOpen;
      },
      usedBytes: () => server.usedBytes(),
      async close() {
        for (const socket of free) socket.close();
        await server.close();
      },
    };
  },
};
