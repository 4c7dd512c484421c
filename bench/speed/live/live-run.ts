/** Servers and cameras as processes of their own, for the benches of live streams. */

import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { root } from '../../../src/lib/package-root.ts';
import type { SessionStats } from '../../../src/shared/messages.ts';
import type { ServerFigures } from './bench-server.ts';
import type { CameraOrder } from './fake-cameras.ts';

export type Mode = 'swap' | 'echo';

const heard = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`a process of the bench ended with ${code}`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as T);
    });
  });

const start = (name: string, args: string[] = []): ChildProcess =>
  fork(path.join(root, `dist/bench/${name}.js`), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class LiveServer {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  static async start(mode: Mode): Promise<LiveServer> {
    const child = start('bench-server', [mode]);
    const { url } = await heard<{ url: string }>(child);
    return new LiveServer(child, url);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  figures(): Promise<ServerFigures> {
    const answer = heard<ServerFigures>(this.#child);
    this.#child.send('figures');
    return answer;
  }

  /** Cores in use over a while: 1 is one core, busy. */
  async cores(forMs: number): Promise<number> {
    const [before, beganMs] = [await this.figures(), performance.now()];
    await pause(forMs);
    const after = await this.figures();
    return (after.cpuMs - before.cpuMs) / (performance.now() - beganMs);
  }

  async sessions(): Promise<SessionStats[]> {
    return (await fetch(`${this.url}/api/sessions`)).json() as Promise<SessionStats[]>;
  }

  stop(): void {
    this.#child.disconnect();
  }
}

/** Cameras of one process; they end together. */
export class FakeCameras {
  readonly #child: ChildProcess;
  /** Viewers so far. */
  watchers = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<FakeCameras> {
    const child = start('fake-cameras');
    await heard(child);
    return new FakeCameras(child);
  }

  /** One more camera; resolves when the server has answered it. */
  add(url: string, stream?: string): Promise<void> {
    return this.#ask({ url, stream });
  }

  /** One more viewer of a stream. */
  async watch(url: string, stream: string): Promise<void> {
    await this.#ask({ url, stream, watch: true });
    this.watchers++;
  }

  /** Pictures that all viewers got so far. */
  async seen(): Promise<number> {
    const answer = heard<{ seen: number }>(this.#child);
    this.#child.send('seen');
    return (await answer).seen;
  }

  async #ask(order: CameraOrder): Promise<void> {
    const answer = heard<{ status: number }>(this.#child);
    this.#child.send(order);
    const { status } = await answer;
    if (status !== 201) throw new Error(`the server answered with ${status}`);
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
