/** A UDP relay that loses, delays and reorders packets: a bad network between two programs on one machine. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { randomOf } from '../../fuzz/mutate/random.ts';

/** What happens to packets, both ways alike. */
export interface Weather {
  /** Share of the packets that is lost, 0..1. */
  loss: number;
  /** Each packet is delayed by 0 to this many milliseconds, so that packets overtake each other. */
  jitterMs: number;
}

export class LossyRelay {
  readonly #socket: Socket;
  readonly #random: () => number;
  readonly #to: { address: string; port: number };
  #client: RemoteInfo | null = null;
  weather: Weather = { loss: 0, jitterMs: 0 };
  /** Packets that came, and those that were lost. */
  counts = { passed: 0, lost: 0 };

  private constructor(socket: Socket, to: { address: string; port: number }, seed: number) {
    this.#socket = socket;
    this.#to = to;
    this.#random = randomOf(seed);
    socket.on('message', (data, from) => this.#pass(data, from));
  }

  /** Opens a relay to a UDP port. */
  static async open(to: { address: string; port: number }, seed = 1): Promise<LossyRelay> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 2 ** 22, sendBufferSize: 2 ** 22 });
    await new Promise<void>((resolve) => socket.bind(0, to.address, resolve));
    return new LossyRelay(socket, to, seed);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): void {
    this.#socket.close();
  }

  #pass(data: Buffer, from: RemoteInfo): void {
    const isFromServer = from.port === this.#to.port && from.address === this.#to.address;
    if (!isFromServer) this.#client = from;
    const to = isFromServer ? this.#client : this.#to;
    if (to === null) return;
    this.counts.passed++;
    if (this.#random() < this.weather.loss) {
      this.counts.lost++;
      return;
    }
    const send = (): void => {
      // The socket may have been closed meanwhile.
      try {
        this.#socket.send(data, to.port, to.address);
      } catch {}
    };
    const delayMs = this.#random() * this.weather.jitterMs;
    if (delayMs < 0.5) send();
    else setTimeout(send, delayMs);
  }
}

/** An answer whose only candidate leads through a relay. @returns the answer and the relay. */
export async function throughRelay(answer: string, seed?: number): Promise<{ answer: string; relay: LossyRelay }> {
  const found = /^a=candidate:\S+ 1 UDP \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host.*$/im.exec(answer);
  if (found === null) throw new Error('the answer has no candidate of IPv4');
  const relay = await LossyRelay.open({ address: found[1]!, port: Number(found[2]) }, seed);
  const candidate = `a=candidate:1 1 UDP 2114977791 ${found[1]} ${relay.port} typ host`;
  const [first = '', ...rest] = answer.split(/^(?=a=candidate:)/m);
  const others = rest.join('').replace(/^a=candidate:.*\r\n/gm, '');
  return { answer: `${first}${candidate}\r\n${others}`, relay };
}
