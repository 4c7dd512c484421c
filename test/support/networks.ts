/** Machines of their own, as far as a network can tell: Linux network namespaces joined by cables. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const ip = (...args: string[]) => spawnSync('ip', args, { encoding: 'utf8' });

function must(...args: string[]): void {
  const { status, stderr, error } = ip(...args);
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr || error?.message}`);
}

/** Why there can be none here, for people; null where there can. */
export function whyNoNetworks(): string | null {
  const name = `faceoff-probe-${process.pid}`;
  const { status, stderr, error } = ip('netns', 'add', name);
  if (error !== undefined) return 'there is no ip command (Debian: iproute2)';
  if (status !== 0) return `network namespaces are not allowed here: ${stderr.trim()}`;
  const cable = ip('-n', name, 'link', 'add', 'name', 'end0', 'type', 'veth', 'peer', 'name', 'end1');
  ip('netns', 'del', name);
  return cable.status === 0 ? null : `cables between namespaces are not allowed here: ${cable.stderr.trim()}`;
}

/** Why a program cannot be used; null where it can. */
export const whyNo = (program: string, debianPackage: string): string | null =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
    ? null
    : `${program} is missing (Debian: ${debianPackage})`;

export class Machine {
  readonly #namespace: string;
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];

  constructor(namespace: string, folder: string) {
    this.#namespace = namespace;
    this.#folder = folder;
    must('netns', 'add', namespace);
    this.ip('link', 'set', 'lo', 'up');
    // Cables end here: what is meant for another machine is not passed on.
    this.sync('sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward');
  }

  /** What stands before a command line that is to run here. */
  get prefix(): string[] {
    return ['ip', 'netns', 'exec', this.#namespace];
  }

  ip(...args: string[]): void {
    must('-n', this.#namespace, ...args);
  }

  sync(...command: string[]) {
    const [program, ...args] = [...this.prefix, ...command];
    return spawnSync(program!, args, { encoding: 'utf8' });
  }

  /** Starts a program that ends with the machine; resolves when its output says so. */
  async start(command: string[], ready: RegExp): Promise<void> {
    const [program, ...args] = [...this.prefix, ...command];
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (data: Buffer) => {
          said = (said + data.toString()).slice(-10_000);
          if (ready.test(said)) resolve();
        });
      }
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${command[0]} ended with ${code}: ${said}`)));
    });
  }

  /** A file that runs a program here, for callers that take nothing but a file name. */
  wrapper(program: string): string {
    const file = path.join(this.#folder, `${this.#namespace}-${path.basename(program)}`);
    writeFileSync(file, `#!/bin/sh\nexec ${this.prefix.join(' ')} '${program}' "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** Whether a TCP connection can be made from here. */
  reaches(host: string, port: number): boolean {
    const code = `require('net').connect({host:'${host}',port:${port},timeout:1500}).on('connect',()=>process.exit(0)).on('timeout',()=>process.exit(1)).on('error',()=>process.exit(1))`;
    return this.sync(process.execPath, '-e', code).status === 0;
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.kill('SIGKILL')) await gone;
    }
    // Its cables go with it.
    ip('netns', 'del', this.#namespace);
  }
}

export class Networks {
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-net-'));
  readonly #machines: Machine[] = [];
  #cables = 0;

  machine(name: string): Machine {
    const machine = new Machine(`faceoff-${process.pid}-${name}`, this.#folder);
    this.#machines.push(machine);
    return machine;
  }

  /** Joins two machines; addresses with their prefix lengths, `10.0.0.1/24`. */
  join([a, addressA]: [Machine, string], [b, addressB]: [Machine, string]): void {
    const [endA, endB] = ['a', 'b'].map((end) => `cable${this.#cables}${end}`) as [string, string];
    this.#cables++;
    a.ip('link', 'add', 'name', endA, 'type', 'veth', 'peer', 'name', endB, 'netns', b.prefix.at(-1)!);
    for (const [machine, end, address] of [
      [a, endA, addressA],
      [b, endB, addressB],
    ] as const) {
      machine.ip('addr', 'add', address, 'dev', end);
      machine.ip('link', 'set', end, 'up');
    }
  }

  async close(): Promise<void> {
    for (const machine of this.#machines) await machine.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
