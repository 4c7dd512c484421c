/** A device that a test plays: it speaks the device's language, answers when it is told to, and gives every picture back. */

import { rmSync } from 'node:fs';
import net, { type Server, type Socket } from 'node:net';
import type { DeviceAsk } from '../../src/pipeline/device/device-protocol.ts';
import { send, WireReader } from '../../src/pipeline/device/device-wire.ts';
import type { ModelSpec } from '../../src/pipeline/inference/model-device.ts';
import type { FaceOffError } from '../../src/shared/errors.ts';
import { toWire } from '../../src/shared/errors.ts';

const floatsOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export class Puppet {
  readonly address: string;
  /** What it says that a run takes, when a model is opened. */
  usualMs = 1;
  /** Awaited before a model is opened, and before a run is answered; what it throws is the answer. */
  opening: () => Promise<unknown> = async () => undefined;
  running: () => Promise<unknown> = async () => undefined;
  opened = 0;
  /** Runs asked for so far. */
  asked = 0;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();
  readonly #models = new Map<number, ModelSpec>();

  constructor(address: string) {
    this.address = address;
  }

  async listen(): Promise<void> {
    const server = net.createServer((socket) => this.#welcome(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.address, resolve));
  }

  /** Hangs up on everybody, as a process that dies does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Says something that is none of the device's language. */
  shout(words: string): void {
    for (const socket of this.#sockets) socket.write(words);
  }

  /** Gone until it listens again. Idempotent. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.cut();
    await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
    rmSync(this.address, { force: true });
  }

  #welcome(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const reader = new WireReader<DeviceAsk>(({ head, tensors }) => {
      void this.#answer(socket, head, tensors).catch((error: FaceOffError) => {
        if (!socket.destroyed) send(socket, { id: head.id, error: toWire(error) });
      });
    });
    socket.on('data', (chunk) => reader.feed(chunk));
  }

  async #answer(socket: Socket, ask: DeviceAsk, tensors: Float32Array[]): Promise<void> {
    const say = (head: object, made: Float32Array[] = []): void => {
      if (!socket.destroyed) send(socket, { id: ask.id, ...head }, made);
    };
    if (ask.op === 'close') return say({ closed: true });
    if (ask.op === 'open') {
      const model = ++this.opened;
      await this.opening();
      this.#models.set(model, ask.spec);
      return say({ opened: { model, provider: 'puppet', usualMs: this.usualMs, loadMs: 1, cached: false } });
    }
    this.asked++;
    await this.running();
    const { outputs } = this.#models.get(ask.model)!.shape;
    const picture = (length: number) => tensors.find((values) => values.length === length);
    say(
      { ranMs: this.usualMs },
      outputs.map(({ shape }) => picture(floatsOf(shape)) ?? new Float32Array(floatsOf(shape)).fill(1)),
    );
  }
}

/** A promise that a test settles by hand. */
export function gate(): { open: () => void; opened: Promise<void> } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
