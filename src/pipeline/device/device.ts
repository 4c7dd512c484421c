/**
 * The device: the process that big models run in. A process of its own because what a GPU's driver does to it cannot be
 * undone within one, and because it can be killed and started again while the streams go on. Lanes talk to it directly.
 */

import net, { type Socket } from 'node:net';
import { CacheLeases } from '../../cache/leases.ts';
import { FaceOffError, toWire } from '../../shared/errors.ts';
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
  ModelSpec,
} from './device-protocol.ts';
import { send, WireReader } from './device-wire.ts';
import { ModelOpener } from './model-opener.ts';

interface Shared {
  number: number;
  opening: Promise<DeviceModel>;
  /** Null until it is open. */
  model: DeviceModel | null;
  /** Lanes that have it open. */
  users: Set<Socket>;
  idle: NodeJS.Timeout | undefined;
}

/** A model that one lane has open, so many times. */
interface Opening {
  key: string;
  shared: Shared;
  times: number;
}

/** A model that nobody wants is kept for a while: people try one face engine after another. */
const IDLE_MS = 30_000;

export class Device {
  readonly #options: DeviceOptions;
  readonly #tuning: BatchTuning;
  readonly #models = new Map<string, Shared>();
  readonly #server = net.createServer((socket) => this.#welcome(socket));
  readonly #sockets = new Set<Socket>();
  readonly #onLost: (error: unknown) => void;
  readonly #opener: ModelOpener;
  readonly #use: CacheLeases;
  readonly #engines: TensorRTCache;
  readonly #steps: StepDown[] = [];
  readonly #news: DeviceNews[] = [];
  #next = 1;
  readonly #batches: BatchReport[] = [];
  #ooms = 0;
  #late = 0;

  /** @param onLost told when the device is of no use any more: the process is to be started anew. */
  constructor(options: DeviceOptions, onLost: (error: unknown) => void) {
    this.#options = options;
    this.#onLost = onLost;
    this.#tuning = new BatchTuning(options.cacheDir, `${options.threads} threads, ${options.budgetMs} ms`);
    const { cacheDir, inference, threads } = options;
    const machine = probeProviders(cacheDir);
    const ladder = new ProviderLadder(inference, machine, (step) => this.#steps.push(step));
    this.#engines = new TensorRTCache({ cacheDir, settings: inference, folder: machine.folder });
    this.#use = new CacheLeases(cacheDir);
    this.#opener = new ModelOpener({ ladder, engines: this.#engines, use: this.#use, threads });
  }

  async listen(): Promise<void> {
    await this.#engines.sweep();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.address, resolve);
    });
  }

  /** What happened since the last report; null if nothing did. */
  report(): DeviceReport | null {
    const limits: Record<string, number> = {};
    for (const { model } of this.#models.values())
      if (model !== null) limits[model.spec.shape.name] = model.batcher.limit;
    const [batches, steps, news] = [this.#batches, this.#steps, this.#news].map((list) => list.splice(0)) as [
      ...[BatchReport[], StepDown[], DeviceNews[]],
    ];
    const report = { batches, steps, news, limits, ooms: this.#ooms, late: this.#late };
    this.#ooms = this.#late = 0;
    const idle = this.#models.size + batches.length + steps.length + news.length + report.ooms + report.late === 0;
    if (idle) return null;
    const { user, system } = process.cpuUsage();
    return { ...report, rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000 };
  }

  /**
   * Memory is short: closes what nobody wants, at once; returns how many. Not what is at work still or being opened: that
   * may be the very one that waits for this, and must not wait for itself.
   */
  async release(): Promise<number> {
    const idle = [...this.#models].filter(([, { users, model }]) => users.size === 0 && model?.batcher.busy === false);
    for (const [key, shared] of idle) await this.#drop(key, shared);
    return idle.length;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const [key, shared] of [...this.#models]) await this.#drop(key, shared);
    await this.#use.close();
  }

  #welcome(socket: Socket): void {
    this.#sockets.add(socket);
    const open = new Map<number, Opening>();
    const say = (answer: DeviceAnswer, tensors: readonly Float32Array[] = []): void => {
      if (!socket.destroyed) send(socket, answer, tensors);
    };
    const reader = new WireReader<DeviceAsk>(({ head, tensors }) => {
      void this.#answer(socket, open, head, tensors, say).catch((error: unknown) => {
        say({ id: head.id, error: toWire(error) });
        this.#judge(error);
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
      for (const { key, shared } of open.values()) this.#leave(socket, key, shared);
    });
  }

  async #answer(
    ...[socket, open, ask, tensors, say]: [
      Socket,
      Map<number, Opening>,
      DeviceAsk,
      Float32Array[],
      (answer: DeviceAnswer, tensors?: readonly Float32Array[]) => void,
    ]
  ): Promise<void> {
    switch (ask.op) {
      case 'open': {
        const key = JSON.stringify(ask.spec);
        const shared = this.#share(key, ask.spec);
        shared.users.add(socket);
        clearTimeout(shared.idle);
        const one = open.get(shared.number) ?? { key, shared, times: 0 };
        open.set(shared.number, one);
        one.times++;
        const { provider, usualMs, loadMs, cached } = await shared.opening.catch((error: unknown) => {
          open.delete(shared.number);
          throw error;
        });
        return say({ id: ask.id, opened: { model: shared.number, provider, usualMs, loadMs, cached } });
      }
      case 'run': {
        const arrivedAtMs = performance.now();
        const model = await open.get(ask.model)?.shared.opening;
        if (model === undefined) throw new FaceOffError('model_closed', 'The model is not open.');
        model.batcher.add({
          inputs: tensors,
          deadlineMs: arrivedAtMs + ask.leftMs,
          done: (outputs, ranMs) =>
            say(
              { id: ask.id, ranMs },
              outputs.map((values) => values.slice()),
            ),
          fail: (error) => {
            say({ id: ask.id, error: toWire(error) });
            this.#judge(error);
          },
        });
        return;
      }
      case 'close': {
        const one = open.get(ask.model);
        // A lane may have opened it again before it told that it needs the first one no longer.
        if (one !== undefined && --one.times === 0) {
          open.delete(ask.model);
          this.#leave(socket, one.key, one.shared);
        }
        return say({ id: ask.id, closed: true });
      }
    }
  }

  #share(key: string, spec: ModelSpec): Shared {
    const known = this.#models.get(key);
    if (known !== undefined) return known;
    const opening = this.#open(spec);
    const shared: Shared = { number: this.#next++, opening, model: null, users: new Set(), idle: undefined };
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

  /** Where there is no memory for it, what nobody wants is closed first. */
  async #open(spec: ModelSpec): Promise<DeviceModel> {
    const open = () =>
      DeviceModel.open(
        spec,
        this.#options,
        { opener: this.#opener, tuning: this.#tuning },
        {
          ...this.#newsOf(spec.shape.name),
          onBatch: (size, waitMs, ranMs) => this.#batches.push({ model: spec.shape.name, size, waitMs, ranMs }),
          onLate: () => this.#late++,
          onOutOfMemory: async () => {
            this.#ooms++;
            await this.release();
          },
        },
      );
    try {
      return await open();
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      this.#ooms++;
      if ((await this.release()) === 0) throw error;
      return await open();
    }
  }

  /** What is told of a model that moves to something better. */
  #newsOf(model: string): Pick<ModelHooks, 'onMoved' | 'onBuild' | 'onBuildFailed'> {
    return {
      onMoved: (provider) => this.#news.push({ model, provider }),
      onBuild: (building) => this.#news.push({ model, building }),
      onBuildFailed: (error) =>
        this.#news.push({ model, failed: error instanceof Error ? error.message : String(error) }),
    };
  }

  #leave(socket: Socket, key: string, shared: Shared): void {
    shared.users.delete(socket);
    if (shared.users.size > 0) return;
    shared.idle = setTimeout(() => void this.#drop(key, shared), IDLE_MS);
    shared.idle.unref();
  }

  async #drop(key: string, shared: Shared): Promise<void> {
    clearTimeout(shared.idle);
    if (this.#models.get(key) === shared) this.#models.delete(key);
    const model = await shared.opening.catch(() => null);
    // What could not be given back goes with the process.
    await model?.close().catch(() => undefined);
  }

  #judge(error: unknown): void {
    if (error instanceof Error && 'code' in error && error.code === 'device_lost') this.#onLost(error);
  }
}
