/**
 * The device: what the device process runs. Added models run in a process of their own because a GPU driver can leave a
 * process in a state that only its end repairs, and because the process can be killed and restarted while streams go
 * on. Lanes connect to it directly.
 */

import net, { type Socket } from 'node:net';
import { CacheLeases } from '../../cache/leases.ts';
import { residentBytes } from '../../lib/system/resident-memory.ts';
import { FaceOffError, messageOf, toWire } from '../../shared/errors.ts';
import type { ModelSpec } from '../inference/model-device.ts';
import { probeProviders } from '../inference/native/provider-probe.ts';
import { ProviderLadder, type StepDown } from '../inference/provider-ladder.ts';
import { TensorRTCache } from '../inference/tensorrt-cache.ts';
import { BatchTuning } from './batch-tuning.ts';
import { isOutOfMemory } from './batcher.ts';
import { DeviceModel, type ModelHooks } from './device-model.ts';
import type {
  BatchReport,
  DeviceAnswer,
  DeviceAsk,
  DeviceNews,
  DeviceOptions,
  DeviceReport,
} from './device-protocol.ts';
import { send, WireReader } from './device-wire.ts';
import { ModelOpener } from './model-opener.ts';

/** A model that all lanes share. */
interface SharedModel {
  number: number;
  opening: Promise<DeviceModel>;
  /** Null until it is open. */
  model: DeviceModel | null;
  /** Connections of the lanes that have it open. */
  users: Set<Socket>;
  /** Closes the model once it has been unused for IDLE_MS. */
  idle: NodeJS.Timeout | undefined;
}

/** How many times one lane has a model open. */
interface LaneUse {
  key: string;
  shared: SharedModel;
  times: number;
}

/** The connection of one lane. */
interface LaneConnection {
  socket: Socket;
  /** Models the lane has open, by number. */
  uses: Map<number, LaneUse>;
  reply(answer: DeviceAnswer, tensors?: readonly Float32Array[]): void;
}

/** How long an unused model stays open: users switch between engines. */
const IDLE_MS = 30_000;

/** Serves models to lanes over a local socket, and collects the reports for the main thread. */
export class Device {
  readonly #options: DeviceOptions;
  readonly #tuning: BatchTuning;
  readonly #models = new Map<string, SharedModel>();
  readonly #server = net.createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<Socket>();
  readonly #onLost: (error: unknown) => void;
  readonly #opener: ModelOpener;
  readonly #leases: CacheLeases;
  readonly #engines: TensorRTCache;
  readonly #steps: StepDown[] = [];
  readonly #news: DeviceNews[] = [];
  #next = 1;
  readonly #batches: BatchReport[] = [];
  #ooms = 0;
  #late = 0;

  /** @param onLost called when the device is lost, so that the process has to be restarted. */
  constructor(options: DeviceOptions, onLost: (error: unknown) => void) {
    this.#options = options;
    this.#onLost = onLost;
    this.#tuning = new BatchTuning(options.cacheDir, `${options.threads} threads, ${options.budgetMs} ms`);
    const { cacheDir, inference, threads } = options;
    const machine = probeProviders(cacheDir);
    const ladder = new ProviderLadder(inference, machine, (step) => this.#steps.push(step));
    this.#engines = new TensorRTCache({ cacheDir, settings: inference, folder: machine.folder });
    this.#leases = new CacheLeases(cacheDir);
    this.#opener = new ModelOpener({ ladder, engines: this.#engines, leases: this.#leases, threads });
  }

  /** Listens for lanes, after removing what earlier processes left half built. */
  async listen(): Promise<void> {
    await this.#engines.sweep();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.address, resolve);
    });
  }

  /** Events since the last report; null when no model is open and nothing happened. */
  report(): DeviceReport | null {
    const limits: Record<string, number> = {};
    for (const { model } of this.#models.values())
      if (model !== null) limits[model.spec.shape.name] = model.batcher.limit;
    const batches = this.#batches.splice(0);
    const steps = this.#steps.splice(0);
    const news = this.#news.splice(0);
    const report = { batches, steps, news, limits, ooms: this.#ooms, late: this.#late };
    this.#ooms = this.#late = 0;
    const idle = this.#models.size + batches.length + steps.length + news.length + report.ooms + report.late === 0;
    if (idle) return null;
    const { user, system } = process.cpuUsage();
    return { ...report, rssBytes: residentBytes(), cpuMs: (user + system) / 1000 };
  }

  /**
   * Closes unused models at once, as memory is short. A model that is running or being opened stays: it may be the one
   * that awaits this call, and must not wait for itself.
   * @returns how many were closed.
   */
  async release(): Promise<number> {
    const idle = [...this.#models].filter(([, { users, model }]) => users.size === 0 && model?.batcher.busy === false);
    for (const [key, shared] of idle) await this.#closeModel(key, shared);
    return idle.length;
  }

  /** Disconnects all lanes and closes all models, letting runs in progress finish. */
  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const [key, shared] of [...this.#models]) await this.#closeModel(key, shared);
    await this.#leases.close();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const uses = new Map<number, LaneUse>();
    const reply: LaneConnection['reply'] = (answer, tensors = []) => {
      if (!socket.destroyed) send(socket, answer, tensors);
    };
    const connection = { socket, uses, reply };
    const reader = new WireReader<DeviceAsk>(({ head, tensors }) => {
      void this.#answer(connection, head, tensors).catch((error: unknown) => {
        reply({ id: head.id, error: toWire(error) });
        this.#checkLost(error);
      });
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
      this.#sockets.delete(socket);
      for (const { key, shared } of uses.values()) this.#removeUser(socket, key, shared);
    });
  }

  async #answer(connection: LaneConnection, ask: DeviceAsk, tensors: Float32Array[]): Promise<void> {
    const { socket, uses, reply } = connection;
    switch (ask.op) {
      case 'open': {
        const key = JSON.stringify(ask.spec);
        const shared = this.#sharedModel(key, ask.spec);
        shared.users.add(socket);
        clearTimeout(shared.idle);
        const use = uses.get(shared.number) ?? { key, shared, times: 0 };
        uses.set(shared.number, use);
        use.times++;
        const { provider, usualMs, loadMs, cached } = await shared.opening.catch((error: unknown) => {
          uses.delete(shared.number);
          throw error;
        });
        return reply({ id: ask.id, opened: { model: shared.number, provider, usualMs, loadMs, cached } });
      }
      case 'run': {
        const arrivedAtMs = performance.now();
        const model = await uses.get(ask.model)?.shared.opening;
        if (model === undefined) throw new FaceOffError('model_closed', 'The model is not open.');
        model.batcher.add({
          inputs: tensors,
          deadlineMs: arrivedAtMs + ask.leftMs,
          done: (outputs, ranMs) =>
            reply(
              { id: ask.id, ranMs },
              outputs.map((values) => values.slice()),
            ),
          fail: (error) => {
            reply({ id: ask.id, error: toWire(error) });
            this.#checkLost(error);
          },
        });
        return;
      }
      case 'close': {
        const use = uses.get(ask.model);
        // A lane may open a model again before its first session is closed.
        if (use !== undefined && --use.times === 0) {
          uses.delete(ask.model);
          this.#removeUser(socket, use.key, use.shared);
        }
        return reply({ id: ask.id, closed: true });
      }
    }
  }

  /** The model of a spec; its opening starts here when it is the first. */
  #sharedModel(key: string, spec: ModelSpec): SharedModel {
    const known = this.#models.get(key);
    if (known !== undefined) return known;
    const opening = this.#open(spec);
    const shared: SharedModel = { number: this.#next++, opening, model: null, users: new Set(), idle: undefined };
    this.#models.set(key, shared);
    opening.then(
      (model) => {
        shared.model = model;
      },
      () => {
        if (this.#models.get(key) === shared) this.#models.delete(key);
      },
    );
    return shared;
  }

  /** Opens a model; when memory runs out, unused models are closed and the opening is tried once more. */
  async #open(spec: ModelSpec): Promise<DeviceModel> {
    const hooks: ModelHooks = {
      ...this.#newsHooks(spec.shape.name),
      onBatch: (size, waitMs, ranMs) => this.#batches.push({ model: spec.shape.name, size, waitMs, ranMs }),
      onLate: () => this.#late++,
      onOutOfMemory: async () => {
        this.#ooms++;
        await this.release();
      },
    };
    const context = { options: this.#options, opener: this.#opener, tuning: this.#tuning, hooks };
    const open = () => DeviceModel.open(spec, context);
    try {
      return await open();
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      this.#ooms++;
      if ((await this.release()) === 0) throw error;
      return await open();
    }
  }

  /** Hooks that report a model's move to a better session. */
  #newsHooks(model: string): Pick<ModelHooks, 'onMoved' | 'onBuild' | 'onBuildFailed'> {
    return {
      onMoved: (provider) => this.#news.push({ model, provider }),
      onBuild: (building) => this.#news.push({ model, building }),
      onBuildFailed: (error) => this.#news.push({ model, failed: messageOf(error) }),
    };
  }

  #removeUser(socket: Socket, key: string, shared: SharedModel): void {
    shared.users.delete(socket);
    if (shared.users.size > 0) return;
    shared.idle = setTimeout(() => void this.#closeModel(key, shared), IDLE_MS);
    shared.idle.unref();
  }

  async #closeModel(key: string, shared: SharedModel): Promise<void> {
    clearTimeout(shared.idle);
    if (this.#models.get(key) === shared) this.#models.delete(key);
    const model = await shared.opening.catch(() => null);
    // Memory that cannot be freed here is freed when the process ends.
    await model?.close().catch(() => undefined);
  }

  #checkLost(error: unknown): void {
    if (error instanceof Error && 'code' in error && error.code === 'device_lost') this.#onLost(error);
  }
}
