/** Starts the processes of a bench of live streams: servers, cameras and viewers. */

import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { root } from '../../../src/lib/package-root.ts';
import type { SessionStats } from '../../../src/shared/messages.ts';
import type { ServerFigures } from './bench-server.ts';
import type { CameraOrder } from './fake-cameras.ts';

/** `swap`: the product. `echo`: the same WebRTC, every frame sent back unchanged. */
export type Mode = 'swap' | 'echo';

/** The next message of a process of a bench. Rejects where the process ends instead. */
export const nextMessage = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`a process of the bench ended with ${code}`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as T);
    });
  });

/** Starts a process of a bench, by the name of its file in dist/bench. It shows its errors. */
export const startBenchProcess = (name: string, args: string[] = []): ChildProcess =>
  fork(path.join(root, `dist/bench/${name}.js`), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });

/** Resolves after so many milliseconds. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A server process, on a free port of this machine. */
export class LiveServer {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** Resolves when the server listens. */
  static async start(mode: Mode): Promise<LiveServer> {
    const child = startBenchProcess('bench-server', [mode]);
    const { url } = await nextMessage<{ url: string }>(child);
    return new LiveServer(child, url);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Processor time, memory and traces so far. */
  figures(): Promise<ServerFigures> {
    const answer = nextMessage<ServerFigures>(this.#child);
    this.#child.send('figures');
    return answer;
  }

  /** Cores in use over so many milliseconds: 1 is one core, busy all the time. */
  async cores(forMs: number): Promise<number> {
    const [before, beganMs] = [await this.figures(), performance.now()];
    await pause(forMs);
    const after = await this.figures();
    return (after.cpuMs - before.cpuMs) / (performance.now() - beganMs);
  }

  /** Statistics of the sessions that are open. */
  async sessions(): Promise<SessionStats[]> {
    return (await fetch(`${this.url}/api/sessions`)).json() as Promise<SessionStats[]>;
  }

  stop(): void {
    this.#child.disconnect();
  }
}

/** Cameras and viewers of one process, which end together. */
export class FakeCameras {
  readonly #child: ChildProcess;
  /** Viewers so far. */
  watchers = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<FakeCameras> {
    const child = startBenchProcess('fake-cameras');
    await nextMessage(child);
    return new FakeCameras(child);
  }

  /** Adds a camera. Resolves when the server has accepted it. */
  add(url: string, stream?: string): Promise<void> {
    return this.#order({ url, stream });
  }

  /** Adds a viewer of a stream. Resolves when the server has accepted it. */
  async watch(url: string, stream: string): Promise<void> {
    await this.#order({ url, stream, watch: true });
    this.watchers++;
  }

  /** Pictures that all viewers together received so far. */
  async seen(): Promise<number> {
    const answer = nextMessage<{ seen: number }>(this.#child);
    this.#child.send('seen');
    return (await answer).seen;
  }

  async #order(order: CameraOrder): Promise<void> {
    const answer = nextMessage<{ status: number }>(this.#child);
    this.#child.send(order);
    const { status } = await answer;
    if (status !== 201) throw new Error(`the server answered with ${status}`);
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
