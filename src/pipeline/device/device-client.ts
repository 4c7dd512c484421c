/**
 * A lane's end of the device: opens models in the device process, as sessions like those that run in the lane itself.
 */

import net, { type Socket } from 'node:net';
import { LONG_MS, tooLate, withinDeadline } from '../../lib/deadline.ts';
import { FaceOffError, fromWire } from '../../shared/errors.ts';
import { shapeSize } from '../../shared/shape-size.ts';
import type { ModelDevice, ModelSpec } from '../inference/model-device.ts';
import type { ModelSession, RunCall } from '../inference/model-session.ts';
import type { DeviceAnswer, DeviceAsk, Opened } from './device-protocol.ts';
import { send, WireReader } from './device-wire.ts';

interface PendingRequest {
  resolve(answer: { head: DeviceAnswer; tensors: Float32Array[] }): void;
  reject(error: Error): void;
}

/** A DeviceAsk without its id, which the client assigns. */
type Request = DeviceAsk extends infer A ? (A extends DeviceAsk ? Omit<A, 'id'> : never) : never;

interface SharedModel {
  opened: Promise<RemoteModel>;
  /** Sessions of this lane that are open on the model. */
  users: number;
}

/** A model open on the device, valid for one connection: a restarted process numbers its models from 1 again. */
interface RemoteModel extends Opened {
  connection: number;
}

/** How long to retry the connection: the process takes a moment to start or restart. */
const CONNECT_FOR_MS = 5000;
const CONNECT_EVERY_MS = 50;

/** How a lane reaches the device. */
export interface DeviceClientOptions {
  /** Socket or pipe of the device process. */
  address: string;
  /** Releases the lane to other frames while an answer is awaited. */
  yieldWhile: <T>(wait: Promise<T>) => Promise<T>;
}

/** Client of the device process; one per lane, in the lane worker. Connects when the first model is opened. */
export class DeviceClient implements ModelDevice {
  readonly #options: DeviceClientOptions;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #models = new Map<string, SharedModel>();
  #socket: Promise<Socket> | null = null;
  #nextId = 1;
  #connection = 0;
  #closed = false;

  constructor(options: DeviceClientOptions) {
    this.#options = options;
  }

  /**
   * Equal specs share one model on the device; each session has buffers of its own.
   * @param bind memory for inputs by name, where they are not to be allocated.
   * @throws FaceOffError `device_lost`, `model_missing`, `model_differs`, `model_unusable`, `out_of_memory`.
   */
  async open(spec: ModelSpec, bind: Record<string, Float32Array>): Promise<ModelSession> {
    const key = JSON.stringify(spec);
    const shared = this.#models.get(key) ?? { opened: this.#openModel(spec), users: 0 };
    this.#models.set(key, shared);
    shared.users++;
    const release = (): void => {
      if (--shared.users > 0) return;
      if (this.#models.get(key) === shared) this.#models.delete(key);
      void shared.opened.then((model) => this.#closeModel(model)).catch(() => undefined);
    };
    try {
      return new RemoteSession(spec, await shared.opened, bind, {
        run: (model, leftMs, inputs) => this.#options.yieldWhile(this.#run(model, leftMs, inputs)),
        release,
      });
    } catch (error) {
      if (this.#models.get(key) === shared) this.#models.delete(key);
      throw error;
    }
  }

  /** Closes the connection, upon which the device releases this lane's models. Idempotent. */
  close(): void {
    this.#closed = true;
    void this.#socket?.then((socket) => socket.destroy()).catch(() => undefined);
  }

  async #openModel(spec: ModelSpec): Promise<RemoteModel> {
    const { head } = await this.#request({ op: 'open', spec });
    return { ...(head as { opened: Opened }).opened, connection: this.#connection };
  }

  async #closeModel({ model, connection }: RemoteModel): Promise<void> {
    if (connection === this.#connection) await this.#request({ op: 'close', model });
  }

  async #run(model: RemoteModel, leftMs: number, inputs: Float32Array[]): Promise<Float32Array[]> {
    if (model.connection !== this.#connection) throw lostError();
    const running = this.#request({ op: 'run', model: model.model, leftMs: Math.min(leftMs, LONG_MS) }, inputs).then(
      ({ head, tensors }) => {
        // A late answer still shows how long the model takes.
        const { ranMs } = head as { ranMs: number };
        model.usualMs += (ranMs - model.usualMs) * (ranMs < model.usualMs ? SMOOTHING_DOWN : SMOOTHING_UP);
        return tensors;
      },
    );
    return await withinDeadline(running, leftMs);
  }

  async #request(
    request: Request,
    tensors: Float32Array[] = [],
  ): Promise<{ head: DeviceAnswer; tensors: Float32Array[] }> {
    if (this.#closed) throw lostError();
    this.#socket ??= this.#connect();
    const socket = await this.#socket;
    const id = this.#nextId++;
    return await new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      send(socket, { id, ...request }, tensors);
    });
  }

  async #connect(): Promise<Socket> {
    const untilMs = performance.now() + CONNECT_FOR_MS;
    for (;;) {
      const socket = await tryToConnect(this.#options.address);
      if (socket !== null) return this.#listen(socket);
      if (this.#closed || performance.now() > untilMs) {
        this.#socket = null;
        throw lostError();
      }
      await new Promise((resolve) => setTimeout(resolve, CONNECT_EVERY_MS));
    }
  }

  #listen(socket: Socket): Socket {
    const reader = new WireReader<DeviceAnswer>((message) => {
      const { head } = message;
      const pending = this.#pending.get(head.id);
      this.#pending.delete(head.id);
      if ('error' in head) pending?.reject(fromWire(head.error));
      else pending?.resolve(message);
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
      for (const { reject } of this.#pending.values()) reject(lostError());
      this.#pending.clear();
    });
    return socket;
  }
}

/** EWMA weights of the usual time; a shorter time counts more, as no batch is faster than a run at batch 1. */
const SMOOTHING_UP = 0.1;
const SMOOTHING_DOWN = 0.5;

const lostError = (): FaceOffError =>
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

/** What a session asks of the client that opened it. */
interface ClientCalls {
  run(model: RemoteModel, leftMs: number, inputs: Float32Array[]): Promise<Float32Array[]>;
  release(): void;
}

/** The buffers of one session for a model on the device. */
class RemoteSession implements ModelSession {
  readonly name: string;
  readonly provider: string;
  readonly inputs: Record<string, Float32Array>;
  readonly outputs: Record<string, Float32Array>;
  readonly #model: RemoteModel;
  readonly #client: ClientCalls;
  #closed = false;

  constructor(spec: ModelSpec, model: RemoteModel, bind: Record<string, Float32Array>, client: ClientCalls) {
    this.name = spec.shape.name;
    this.provider = model.provider;
    this.#model = model;
    this.#client = client;
    const buffers = (list: ModelSpec['shape']['inputs']): Record<string, Float32Array> =>
      Object.fromEntries(list.map(({ name, shape }) => [name, bind[name] ?? new Float32Array(shapeSize(shape))]));
    this.inputs = buffers(spec.shape.inputs.filter(({ name }) => !(name in spec.scalars)));
    this.outputs = buffers(spec.shape.outputs);
  }

  get usualMs(): number {
    return this.#model.usualMs;
  }

  get cached(): boolean {
    return this.#model.cached;
  }

  /** @throws FaceOffError `too_late`, `out_of_memory`, `device_lost`, `model_unusable`. */
  async run({ deadlineMs = Number.POSITIVE_INFINITY }: RunCall = {}): Promise<void> {
    if (this.#closed) throw new FaceOffError('model_closed', `The model ${this.name} was closed.`);
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) throw tooLate();
    const results = await this.#client.run(this.#model, leftMs, Object.values(this.inputs));
    for (const [i, output] of Object.values(this.outputs).entries()) output.set(results[i]!);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.release();
  }
}
