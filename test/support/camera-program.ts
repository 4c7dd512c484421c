/** `faceoff camera` as a process of its own, and whose face a file that it wrote shows. */

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { root } from '../../src/lib/package-root.ts';
import { distance } from '../../src/pipeline/face/embed.ts';
import type { Frame } from '../../src/shared/types.ts';
import { astronaut, readFrame } from './lane.ts';
import { pictureAt, probe } from './video.ts';
import { openWho } from './who.ts';

/** However busy the machine is, faces are swapped. */
export const patient = ['--set', 'pipeline.budgetMs=1000'];
let running: ChildProcess[] = [];

/** Ends those that run still; for afterEach. */
export function killCameras(): void {
  for (const child of running) child.kill('SIGKILL');
  running = [];
}

export interface Camera {
  said(): string;
  /** Ctrl-C. @returns the exit code. */
  stop(): Promise<number | null>;
  ended: Promise<number | null>;
}

export function startCamera(args: string[], env: NodeJS.ProcessEnv = process.env): Camera {
  const child = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'camera', ...args, ...patient], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let said = '';
  child.stderr!.on('data', (text: Buffer) => {
    said += text.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    said: () => said,
    ended,
    stop() {
      child.kill('SIGINT');
      return ended;
    },
  };
}

/** Whether the file shows the default face rather than that of the person at a time. */
export async function isSwappedIn(person: Frame, file: string, atMs: number): Promise<boolean> {
  const who = await openWho();
  const [source] = await who.embeddings(await readFrame(astronaut));
  const [own] = await who.embeddings(person);
  const [shown] = await who.embeddings(pictureAt(file, probe(file), atMs));
  return distance(shown!, source!) < distance(shown!, own!);
}
