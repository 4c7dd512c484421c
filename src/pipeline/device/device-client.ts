/** A lane's end of the device: opens models there and asks them. Sessions look like those that run in the lane itself. */

import net, { type Socket } from 'node:net';
import { LONG_MS, tooLate, withinDeadline } from '../../lib/deadline.ts';
import { FaceOffError, fromWire } from '../../shared/errors.ts';
import type { ModelDevice } from '../engines/neural/open-model.ts';
import type { ModelSession, RunCall } from '../inference/model-session.ts';
import type { DeviceAnswer, DeviceAsk, ModelSpec, Opened } from './device-protocol.ts';
import { send, WireReader } from './device-wire.ts';

interface Waiting {
  resolve(answer: { head: DeviceAnswer; tensors: Float32Array[] }): void;
  reject(error: Error): void;
}

/** A DeviceAsk without its id, which the client gives it. */
type Question = DeviceAsk extends infer A ? (A extends DeviceAsk ? Omit<A, 'id'> : never) : never;

interface Shared {
  opened: Promise<OpenedHere>;
  users: number;
}

/** What was opened is gone with the connection: another process counts anew. */
interface OpenedHere extends Opened {
  connection: number;
}

/** The process needs a moment to start, or to start again. */
const CONNECT_FOR_MS = 5000;
const CONNECT_EVERY_MS = 50;

export interface DeviceClientOptions {
  address: string;
  /** Lets others have the lane while an answer is awaited. */
  yieldWhile: <T>(wait: Promise<T>) => Promise<T>;
}

export class DeviceClient implements ModelDevice {
  readonly #options: DeviceClientOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #models = new Map<string, Shared>();
  #socket: Promise<Socket> | null = null;
  #nextId = 1;
  #connection = 0;
  #closed = false;

  constructor(options: DeviceClientOptions) {
    this.#options = options;
  }

  async open(spec: ModelSpec, bind: Record<string, Float32Array>): Promise<ModelSession> {
    const key = JSON.stringify(spec);
    const shared = this.#models.get(key) ?? { opened: this.#openModel(spec), users: 0 };
    this.#models.set(key, shared);
    shared.users++;
    const leave = (): void => {
      if (--shared.users > 0) return;
      if (this.#models.get(key) === shared) this.#models.delete(key);
      void shared.opened.then((opened) => this.#leave(opened)).catch(() => undefined);
    };
    try {
      return new RemoteSession(spec, await shared.opened, bind, {
        run: (model, leftMs, inputs) => this.#options.yieldWhile(this.#run(model, leftMs, inputs)),
        leave,
      });
    } catch (error) {
      if (this.#models.get(key) === shared) this.#models.delete(key);
      throw error;
    }
  }

  /** Idempotent. The device closes what this lane had open. */
  close(): void {
    this.#closed = true;
    void this.#socket?.then((socket) => socket.destroy()).catch(() => undefined);
  }

  async #openModel(spec: ModelSpec): Promise<OpenedHere> {
    const { head } = await this.#ask({ op: 'open', spec });
    return { ...(head as { opened: Opened }).opened, connection: this.#connection };
  }

  async #leave({ model, connection }: OpenedHere): Promise<void> {
    if (connection === this.#connection) await this.#ask({ op: 'close', model });
  }

  async #run(...[opened, leftMs, inputs]: [OpenedHere, number, Float32Array[]]): Promise<Float32Array[]> {
    if (opened.connection !== this.#connection) throw lost();
    const asked = this.#ask({ op: 'run', model: opened.model, leftMs: Math.min(leftMs, LONG_MS) }, inputs).then(
      ({ head, tensors }) => {
        // An answer that comes too late still tells how long the model takes.
        const { ranMs } = head as { ranMs: number };
        opened.usualMs += (ranMs - opened.usualMs) * (ranMs < opened.usualMs ? FOLLOW_DOWN : FOLLOW);
        return tensors;
      },
    );
    return await withinDeadline(asked, leftMs);
  }

  async #ask(
    question: Question,
    tensors: Float32Array[] = [],
  ): Promise<{ head: DeviceAnswer; tensors: Float32Array[] }> {
    if (this.#closed) throw lost();
    this.#socket ??= this.#connect();
    const socket = await this.#socket;
    const id = this.#nextId++;
    return await new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      send(socket, { id, ...question }, tensors);
    });
  }

  async #connect(): Promise<Socket> {
    const untilMs = performance.now() + CONNECT_FOR_MS;
    for (;;) {
      const socket = await tryToConnect(this.#options.address);
      if (socket !== null) return this.#listen(socket);
      if (this.#closed || performance.now() > untilMs) {
        this.#socket = null;
        throw lost();
      }
      await new Promise((resolve) => setTimeout(resolve, CONNECT_EVERY_MS));
    }
  }

  #listen(socket: Socket): Socket {
    const reader = new WireReader<DeviceAnswer>((message) => {
      const { head } = message;
      const waiting = this.#waiting.get(head.id);
      this.#waiting.delete(head.id);
      if ('error' in head) waiting?.reject(fromWire(head.error));
      else waiting?.resolve(message);
    });
    socket.on('data', (chunk) => {
      try {
        reader.feed(chunk);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#socket = null;
      this.#connection++;
      this.#models.clear();
      for (const { reject } of this.#waiting.values()) reject(lost());
      this.#waiting.clear();
    });
    return socket;
  }
}

/** How fast the usual time follows; less is believed sooner, as no batch is faster than a lone run. */
const FOLLOW = 0.1;
const FOLLOW_DOWN = 0.5;

const lost = (): FaceOffError =>
  new FaceOffError('device_lost', 'The device process is not there. It is being started again.');

function tryToConnect(address: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = net.connect(address);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', () => resolve(null));
  });
}

interface Line {
  run(model: OpenedHere, leftMs: number, inputs: Float32Array[]): Promise<Float32Array[]>;
  leave(): void;
}

/** One asker's buffers for a model on the device. */
class RemoteSession implements ModelSession {
  readonly name: string;
  readonly provider: string;
  readonly inputs: Record<string, Float32Array>;
  readonly outputs: Record<string, Float32Array>;
  readonly #opened: OpenedHere;
  readonly #line: Line;
  #closed = false;

  constructor(...[spec, opened, bind, line]: [ModelSpec, OpenedHere, Record<string, Float32Array>, Line]) {
    this.name = spec.shape.name;
    this.provider = opened.provider;
    this.#opened = opened;
    this.#line = line;
    const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
    const buffers = (list: ModelSpec['shape']['inputs']): Record<string, Float32Array> =>
      Object.fromEntries(list.map(({ name, shape }) => [name, bind[name] ?? new Float32Array(sizeOf(shape))]));
    this.inputs = buffers(spec.shape.inputs.filter(({ name }) => !(name in spec.scalars)));
    this.outputs = buffers(spec.shape.outputs);
  }

  get usualMs(): number {
    return this.#opened.usualMs;
  }

  get cached(): boolean {
    return this.#opened.cached;
  }

  /** @throws FaceOffError `too_late`, `out_of_memory`, `device_lost`, `model_unusable`. */
  async run({ deadlineMs = Number.POSITIVE_INFINITY }: RunCall = {}): Promise<void> {
    if (this.#closed) throw new FaceOffError('model_closed', `The model ${this.name} was closed.`);
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) throw tooLate();
    const made = await this.#line.run(this.#opened, leftMs, Object.values(this.inputs));
    for (const [i, into] of Object.values(this.outputs).entries()) into.set(made[i]!);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#line.leave();
  }
}
