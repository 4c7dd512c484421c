/** The program that people start, in a process of its own, and what is known of it while it is fuzzed. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import path from 'node:path';
import WebSocket from 'ws';
import { root } from '../../../src/lib/package-root.ts';
import type { ServerMessage } from '../../../src/shared/messages.ts';
import type { FuzzMessage } from '../../run/fuzz-protocol.ts';
import { checkForStack, Defect } from '../../run/target.ts';
import { realOffers } from '../parsers/offer-samples.ts';

/** Settings by which inputs reach the code rather than a limit on their number. */
const SETTINGS = [
  'limits.wrongTokens=0',
  'limits.connectionsPerAddress=0',
  'limits.sessions=200',
  'limits.viewers=200',
  // A body that is announced and never comes is answered before an input counts as one that hangs.
  'limits.requestTimeoutMs=1000',
  'webrtc.connectTimeoutMs=600000',
  'pipeline.lanes=1',
  'logging.pretty=never',
  'logging.fileLevel=silent',
];
/** Level of a line of the log that names a defect. */
const ERROR_LEVEL = 50;
const START_MS = 60_000;

/** The token of servers that have one. */
export const TOKEN = 'fuzz-token-of-sixteen';
/** The stream of the session that a server has all the time. */
export const STREAM = 'seen';

/** A request, as a client writes it. */
export interface HttpAsk {
  method: string;
  path: string;
  headers: OutgoingHttpHeaders;
  body: Buffer | null;
}

/** An answer. */
export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** A server under test. It is started again when an input ended it. */
export class FuzzServer {
  readonly #folder: string;
  readonly #token: string | null;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });
  #child: ChildProcess | null = null;
  #starting: Promise<void> | null = null;
  /** How it ended, until an input is told. */
  #ended: string | null = null;
  #errors: string[] = [];
  #port = 0;
  #page: WebSocket | null = null;
  /** Id of the session that is open all the time; its stream is STREAM. */
  session = 'none';

  private constructor(folder: string, token: string | null) {
    this.#folder = folder;
    this.#token = token;
  }

  static async start(folder: string, token: string | null = null): Promise<FuzzServer> {
    const server = new FuzzServer(folder, token);
    await server.ready();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get authorization(): OutgoingHttpHeaders {
    return this.#token === null ? {} : { authorization: `Bearer ${this.#token}` };
  }

  /** Starts the server unless it runs, and opens its session unless that is open. */
  async ready(): Promise<void> {
    if (this.#child !== null && this.#page !== null) return;
    this.#starting ??= this.#start().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  async #start(): Promise<void> {
    if (this.#child === null) {
      const folder = mkdtempSync(path.join(this.#folder, 'server-'));
      const set = [
        ...SETTINGS,
        `models.cacheDir=${folder}/cache`,
        `storage.dir=${folder}/data`,
        `logging.dir=${folder}/logs`,
        `recording.dir=${folder}/recordings`,
        ...(this.#token === null ? [] : [`server.token=${this.#token}`]),
      ].flatMap((one) => ['--set', one]);
      const program = spawnProgram(['--port', '0', ...set]);
      this.#child = program.child;
      program.onLine((line) => this.#hear(line));
      program.child.once('exit', (code, signal) => {
        this.#child = null;
        this.#page = null;
        this.#ended = `the server ended with ${signal ?? code}\n${program.tail()}`;
      });
      this.#port = await program.port;
    }
    await this.#openSession();
  }

  #hear(line: string): void {
    const level = /^\{"level":(\d+)/.exec(line)?.[1];
    if (level !== undefined && Number(level) >= ERROR_LEVEL) this.#errors.push(line);
  }

  /** A page that offered a camera and never sends a picture. */
  async #openSession(): Promise<void> {
    const page = await this.openSocket();
    this.#page = page;
    const answered = new Promise<void>((resolve) => {
      page.on('message', (data) => {
        const message = JSON.parse(String(data)) as ServerMessage;
        if (message.type === 'answer') this.session = message.session;
        if (message.type === 'answer' || message.type === 'error') resolve();
        // An input closed the session: the next one gets another.
        if (message.type === 'closed') page.close();
      });
      page.once('close', () => {
        this.#page = null;
        resolve();
      });
    });
    page.send(JSON.stringify({ type: 'offer', sdp: realOffers[0], stream: STREAM }));
    await answered;
  }

  /** A WebSocket as pages open it. @throws Error where the upgrade is refused. */
  async openSocket(): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/ws`, {
      headers: this.authorization as Record<string, string>,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => socket.terminate());
    return socket;
  }

  /** @throws Defect where the server ended, or its log names a defect, since the last call. */
  check(): void {
    const ended = this.#ended;
    this.#ended = null;
    if (ended !== null) throw new Defect('crash', ended);
    const error = this.#errors.shift();
    if (error !== undefined)
      throw new Defect('threw', `the server logs an error: ${error.slice(0, 2000).replaceAll('\\n', '\n')}`);
  }

  /**
   * Sends a request; null where the connection was closed without an answer.
   * @throws Defect for an answer that no stranger may get, and as `check`.
   */
  async ask(ask: HttpAsk): Promise<HttpAnswer | null> {
    await this.ready();
    const answer = await this.#send(ask).catch(() => null);
    if (answer !== null) checkAnswer(ask, answer);
    this.check();
    return answer;
  }

  #send({ method, path: at, headers, body }: HttpAsk): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const options = { agent: this.#agent, host: '127.0.0.1', port: this.#port, method, path: at, headers };
      const sent = request(options, (message) => {
        const chunks: Buffer[] = [];
        message.on('data', (chunk: Buffer) => chunks.push(chunk));
        message.on('error', reject);
        message.once('end', () =>
          resolve({ status: message.statusCode ?? 0, headers: message.headers, body: Buffer.concat(chunks) }),
        );
      });
      sent.on('error', reject);
      sent.once('upgrade', (_message, socket) => {
        socket.destroy();
        resolve({ status: 101, headers: {}, body: Buffer.alloc(0) });
      });
      sent.end(body ?? undefined);
    });
  }

  /** Memory of the server's processes. */
  async usedBytes(): Promise<number> {
    await this.ready();
    const ask: HttpAsk = { method: 'GET', path: '/api/status', headers: this.authorization, body: null };
    // The server may close a connection just when it is used again.
    const { body } = await this.#send(ask).catch(() => this.#send(ask));
    return (JSON.parse(body.toString()) as { rssBytes: number }).rssBytes;
  }

  /** Stops the server as a person does. */
  async close(): Promise<void> {
    this.#agent.destroy();
    const child = this.#child;
    if (child === null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(late);
  }
}

/** @throws Defect for an answer that no stranger may get: an internal error, a stack, or a refusal that is no JSON. */
export function checkAnswer(
  { method, path: at }: Pick<HttpAsk, 'method' | 'path'>,
  { status, headers, body }: HttpAnswer,
): void {
  const type = headers['content-type'] ?? '';
  const text = /json|^$/.test(type) ? body.toString() : '';
  if (status === 500)
    throw new Defect('status 500', `an answer 500: ${method} ${at}, ${body.toString().slice(0, 300)}`);
  checkForStack(text);
  if (status < 400 || method === 'HEAD' || type.startsWith('text/html')) return;
  const { code, message } = parsed(text);
  if (typeof code !== 'string' || typeof message !== 'string')
    throw new Defect('wrong', `an answer ${status} without code and message: ${method} ${at}, ${text.slice(0, 300)}`);
}

function parsed(text: string): { code?: unknown; message?: unknown } {
  try {
    return (JSON.parse(text) ?? {}) as object;
  } catch {
    return {};
  }
}

interface SpawnedProgram {
  child: ChildProcess;
  /** Resolves when it listens; rejects with what it said when it ends before. */
  port: Promise<number>;
  onLine(listener: (line: string) => void): void;
  /** The end of what it said. */
  tail(): string;
}

/** Starts `faceoff serve` with these arguments. */
export function spawnProgram(args: readonly string[]): SpawnedProgram {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('FACEOFF_')));
  const child = spawn(process.execPath, [path.join(root, 'dist/main.js'), 'serve', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid!;
  process.send?.({ type: 'spawned', pid } satisfies FuzzMessage);
  child.once('exit', () => process.send?.({ type: 'ended', pid } satisfies FuzzMessage));
  let said = '';
  let rest = '';
  const listeners: ((line: string) => void)[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-3000);
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) for (const listener of listeners) listener(line);
    });
  const port = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server does not start: ${said}`)), START_MS);
    listeners.push((line) => {
      const found = / is ready at https?:\/\/\S+?:(\d+)/.exec(line)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once('exit', (code, signal) => reject(new Error(`the server ended with ${signal ?? code}: ${said}`)));
    child.once('exit', () => clearTimeout(timer));
  });
  return { child, port, onLine: (listener) => listeners.push(listener), tail: () => said };
}
