/**
 * Every key of config.yaml, typed, with its default. Sources in this order, later ones win: defaults, config.yaml,
 * environment (`FACEOFF_SERVER_PORT=9000`), command line (`--set server.port=9000`). Unknown keys are refused at start.
 */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { load, loadAll } from 'js-yaml';
import { z } from 'zod';
import { disagreeingHooks, HOOK_VARIABLES, hookSettings } from './config/hook-settings.ts';
import { isSecretSetting } from './config/secret-settings.ts';
import { isLocal } from './lib/address.ts';
import { PRIORITIES } from './lib/priority.ts';
import { listSchema, textSchema } from './lib/text-schema.ts';
import { FaceOffError, messageOf } from './shared/errors.ts';
import { RECORDING_FORMATS } from './shared/recording-formats.ts';
import { FACE_CHOICES, FALLBACKS, RESERVES, SETTINGS } from './shared/settings.ts';
import { STAGE_BUCKETS_MS } from './shared/stage-buckets.ts';
import { CORNERS } from './shared/types.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const whole = (min: number, max: number, standard: number) => z.int().min(min).max(max).default(standard);
const number = (min: number, max: number, standard: number) => z.number().min(min).max(max).default(standard);
const choice = <const T extends readonly [string, ...string[]]>(options: T, standard: T[number]) =>
  z.enum(options).default(standard as never);
/** True for the text that a browser sends as the origin of a page or of an extension. */
const isOrigin = (text: string): boolean =>
  /^chrome-extension:\/\/[a-p]{32}$/.test(text) || (URL.canParse(text) && new URL(text).origin === text);

/** Origin of FaceOff’s browser extension. It follows from the extension's key, so that no other page can claim it. */
export const EXTENSION = 'chrome-extension://fgehcfdkafaklidalbopgllelihbnklm';

/** The name of a model. Whether the catalogue has it is checked when the pool starts. */
const modelName = (standard: string) =>
  z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, 'must be the name of a model (`faceoff models list`) or none')
    .default(standard);
const section = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape).prefault({} as never);

const Schema = z.strictObject({
  server: section({
    host: textSchema(1).default('127.0.0.1'),
    port: whole(0, 65535, 8080),
    names: z.array(textSchema(1)).default([]),
    basePath: z
      .string()
      .regex(
        /^(?:\/|(?:\/[\w.~-]+)+)$/,
        'must be a path that begins with a slash and does not end with one, such as /face',
      )
      .default('/'),
    token: z
      .string()
      .regex(/^\S{16,200}$/, 'must have 16 to 200 characters, none of them a space')
      .nullable()
      .default(null),
    certificate: textSchema(1).nullable().default(null),
    key: textSchema(1).nullable().default(null),
    priority: choice(PRIORITIES, 'above'),
    drainMs: whole(0, 86_400_000, 0),
    origins: z
      .array(z.string().refine(isOrigin, 'must be an origin, such as https://studio.example'))
      .default([EXTENSION]),
  }),
  limits: section({
    sessions: whole(1, 1000, 4),
    uploadBytes: whole(1024, 2 ** 30, 20 * 2 ** 20),
    picturePixels: whole(10_000, 1e9, 50e6),
    pictureSide: whole(100, 1e6, 16_384),
    pictureMemoryMb: whole(16, 100_000, 512),
    pictureTimeoutMs: whole(1000, 600_000, 10_000),
    frameWidth: whole(64, 7680, 3840),
    frameHeight: whole(64, 4320, 2160),
    faces: whole(1, 10_000, 64),
    presets: whole(0, 1000, 64),
    viewers: whole(0, 1000, 12),
    roomPeople: whole(2, 16, 4),
    wrongTokens: whole(0, 10_000, 10),
    requestTimeoutMs: whole(200, 3_600_000, 60_000),
    connectionsPerAddress: whole(0, 100_000, 256),
  }),
  webrtc: section({
    iceServers: z
      .array(
        z.strictObject({
          urls: listSchema(z.string().regex(/^(stun|turn)s?:/, 'must begin with stun: or turn:'), 1),
          username: z.string().optional(),
          credential: z.string().optional(),
          secret: textSchema(1).optional(),
        }),
      )
      .default([]),
    announce: z
      .array(
        z
          .string()
          .regex(/^(?:[\w-]+(?:\.[\w-]+)*\.?|[\d.]+|[\da-f:.]+)$/i, 'must be an address or a name, without a port'),
      )
      .max(8)
      .default([]),
    turnLifetimeMs: whole(60_000, 7 * 86_400_000, 12 * 3_600_000),
    portMin: whole(0, 65535, 0),
    portMax: whole(0, 65535, 0),
    h264Port: whole(0, 65535, 0),
    startKbps: whole(100, 100_000, 4000),
    minKbps: whole(30, 100_000, 1000),
    maxKbps: whole(100, 100_000, 8000),
    h264Encoder: z.enum(['auto', 'x264']).default('auto'),
    connectTimeoutMs: whole(100, 600_000, 15_000),
    lostTimeoutMs: whole(100, 600_000, 10_000),
    idleTimeoutMs: whole(100, 3_600_000, 30_000),
  }),
  pipeline: section({
    lanes: z.union([z.literal('auto'), z.int().min(1).max(64)]).default('auto'),
    budgetMs: number(5, 1000, 33),
    fallback: choice(FALLBACKS, SETTINGS.fallback.default),
    guarded: z.boolean().default(SETTINGS.guarded.default),
  }),
  detection: section({
    score: number(0.1, 0.99, 0.5),
    intervalMs: whole(0, 60_000, 1000),
    faces: whole(1, 16, 4),
    minSize: whole(16, 1000, 32),
  }),
  tracking: section({
    minCutoffHz: number(0.01, 1000, 2),
    beta: number(0, 1000, 8),
    lostAfterFrames: whole(1, 300, 3),
  }),
  swap: section({
    engine: modelName(SETTINGS.engine.default),
    face: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/)
      .default(SETTINGS.face.default ?? ''),
    choice: choice(FACE_CHOICES, SETTINGS.choice.default),
    strength: number(0, 1, SETTINGS.strength.default),
    shape: number(0, 1, SETTINGS.shape.default),
    keepEyes: z.boolean().default(SETTINGS.keepEyes.default),
    keepMouth: z.boolean().default(SETTINGS.keepMouth.default),
    colour: number(0, 1, 1),
    boost: whole(1, 4, 1),
    mask: modelName('none'),
    reserve: choice(RESERVES, 'mesh'),
  }),
  restoration: section({ sharpness: number(0, 1, 0.85), model: modelName('none'), blend: number(0, 1, 0.8) }),
  inference: section({
    provider: choice(['auto', 'tensorrt', 'cuda', 'webgpu', 'cpu'], 'auto'),
    threads: whole(1, 64, 1),
    batch: z.union([z.literal('auto'), z.int().min(1).max(64)]).default('auto'),
    precision: choice(['fp16', 'fp32'], 'fp16'),
    deviceId: whole(0, 63, 0),
    gpuMemLimitMb: whole(0, 1_000_000, 0),
    workspaceMb: whole(16, 1_000_000, 2048),
    convSearch: choice(['heuristic', 'exhaustive', 'default'], 'heuristic'),
    cudaGraphs: z.boolean().default(false),
    builderLevel: whole(0, 5, 3),
    engineTimeoutMs: whole(10_000, 86_400_000, 1_200_000),
  }),
  models: section({
    dir: textSchema(1).default('./models'),
    cacheDir: textSchema(1).default('./cache'),
    warmupRuns: whole(0, 100, 3),
  }),
  storage: section({ dir: textSchema(1).default('./data') }),
  recording: section({
    dir: textSchema(1).default('./recordings'),
    format: choice(RECORDING_FORMATS, 'webm'),
    maxMb: whole(1, 100_000_000, 2048),
    minFreeMb: whole(0, 100_000_000, 512),
  }),
  disclosure: section({
    badge: z.boolean().default(SETTINGS.badge.default),
    corner: choice(CORNERS, 'bottom-right'),
  }),
  safety: section({ contentCheck: z.boolean().default(true), contentThreshold: number(0.05, 0.99, 0.95) }),
  memory: section({
    rssLimitMb: whole(128, 1_000_000, 4096),
    releaseAt: number(0.1, 1, 0.85),
    degradeAt: number(0.1, 1, 0.95),
    intervalMs: whole(100, 60_000, 1000),
    historyMinutes: whole(1, 1440, 10),
  }),
  cache: section({
    maxMb: whole(0, 100_000_000, 20_000),
    maxAgeDays: number(0, 36_500, 90),
    cleanIntervalMs: whole(1000, 7 * 86_400_000, 3_600_000),
  }),
  logging: section({
    level: choice(LEVELS, 'info'),
    fileLevel: choice(LEVELS, 'debug'),
    dir: textSchema(1).default('./logs'),
    fileSizeMb: number(0.001, 10_000, 10),
    files: whole(1, 1000, 5),
    pretty: choice(['auto', 'always', 'never'], 'auto'),
  }),
  metrics: section({
    enabled: z.boolean().default(true),
    host: textSchema(1).nullable().default(null),
    port: z.int().min(0).max(65535).nullable().default(null),
    stageBucketsMs: listSchema(z.number().positive(), 1).default([...STAGE_BUCKETS_MS]),
  }),
  hooks: section(hookSettings),
});

/** All settings, resolved; config.yaml documents each key. Paths are absolute after `loadConfig`. */
export type Config = z.infer<typeof Schema>;

/** The defaults, with relative paths. */
export const defaultConfig = (): Config => Schema.parse({});

/** Where `loadConfig` reads. */
export interface ConfigSources {
  /** config.yaml; a missing file means defaults. Relative paths in it start from its folder. */
  file: string;
  /** Whether the file was named by a person, and has to be there. */
  isRequired?: boolean;
  /** Environment variables; those that do not begin with FACEOFF_ are ignored. */
  env?: Record<string, string | undefined>;
  /** `section.key=value` each, from the command line. */
  set?: readonly string[];
}

type Tree = { [key: string]: unknown };

/** @throws FaceOffError `bad_config`: one line for each thing wrong, with the key's path and what is allowed. */
export function loadConfig({ file, isRequired = false, env = {}, set = [] }: ConfigSources): Config {
  const tree = readFile(file, isRequired);
  const wrong: string[] = [];
  const variables = new Map(settingPaths().map((key) => [variableOfKey(key), key]));
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.startsWith(PREFIX) || isNoSetting(name, value)) continue;
    const key = variables.get(name);
    if (key === undefined) wrong.push(`the variable ${name} is not a setting${meant(name, [...variables.keys()])}`);
    else put(tree, key, value);
  }
  for (const assignment of set) {
    const at = assignment.indexOf('=');
    const key = assignment.slice(0, at);
    if (at < 1) wrong.push(`--set ${assignment}: write it as section.key=value, for instance --set server.port=9000`);
    else if (!settingPaths().includes(key))
      wrong.push(`--set ${assignment}: there is no setting ${key}${meant(key, settingPaths())}`);
    else put(tree, key, assignment.slice(at + 1));
  }
  const result = Schema.safeParse(tree);
  wrong.push(...(result.success ? disagreements(result.data) : result.error.issues.flatMap((i) => sentences(i, tree))));
  if (!result.success || wrong.length > 0) throw bad(wrong);
  return withPaths(result.data, path.dirname(path.resolve(file)));
}

function readFile(file: string, isRequired: boolean): Tree {
  if (!existsSync(file)) {
    if (isRequired) throw bad([`--config ${file}: there is no such file`]);
    return {};
  }
  let content: unknown;
  try {
    // A file of comments alone has no document.
    const documents = loadAll(readFileSync(file, 'utf8'), { filename: file });
    if (documents.length > 1) throw new Error('it holds several documents, parted by ---');
    content = documents[0] ?? {};
  } catch (cause) {
    throw bad([`${file} is not valid YAML: ${messageOf(cause)}`]);
  }
  if (!isTree(content))
    throw bad([`${file} must hold sections with settings, like "server:" with "port: 8080" under it`]);
  // A section whose settings are all commented out is empty, not wrong.
  return Object.fromEntries(Object.entries(content).map(([name, keys]) => [name, keys ?? {}]));
}

const PREFIX = 'FACEOFF_';

/**
 * Whether Kubernetes or Docker set the variable to tell where a service called "faceoff" is: FACEOFF_SERVICE_HOST,
 * FACEOFF_PORT=tcp://…, FACEOFF_PORT_8080_TCP_ADDR, FACEOFF_NAME, FACEOFF_ENV_….
 */
const isServiceLink = (name: string, value: string): boolean =>
  /^FACEOFF_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?|NAME|ENV_\w+)$/.test(name) ||
  (name === 'FACEOFF_PORT' && /^(tcp|udp|sctp):\/\//.test(value));

/** Whether the variable was set by others: by the ways to tell where a service is, or by a hook for its command. */
const isNoSetting = (name: string, value: string): boolean => isServiceLink(name, value) || HOOK_VARIABLES.has(name);

/** `server.port` → `FACEOFF_SERVER_PORT`. */
export const variableOfKey = (key: string): string =>
  PREFIX +
  key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase();

/** Every setting as `section.key`. */
export function settingPaths(): string[] {
  return Object.entries(defaultConfig()).flatMap(([name, keys]) => Object.keys(keys).map((key) => `${name}.${key}`));
}

/**
 * The value that a variable or --set gives to a setting. The text is YAML, so that numbers, booleans and lists come out
 * as such, unless the setting takes the text itself: a face may be called 123.
 */
function parseValue(section: string, setting: string, text: string): unknown {
  if (Schema.safeParse({ [section]: { [setting]: text } }).success) return text;
  try {
    return load(text) ?? text;
  } catch {
    return text;
  }
}

/** Sets a key that exists. */
function put(tree: Tree, key: string, text: string): void {
  const [section, setting] = key.split('.') as [string, string];
  const keys = tree[section] ?? {};
  // The schema refuses a section that is not a mapping.
  if (isTree(keys)) tree[section] = { ...keys, [setting]: parseValue(section, setting, text) };
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function sentences(issue: z.core.$ZodIssue, tree: Tree): string[] {
  const at = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const defaults = defaultConfig() as unknown as Tree;
    const group = at === '' ? defaults : ((defaults[at] as Tree | undefined) ?? {});
    return issue.keys.map((key) => {
      const name = at === '' ? key : `${at}.${key}`;
      const names = Object.keys(group);
      const allowed = names.length === 0 ? '' : ` Allowed here: ${names.join(', ')}`;
      return `${name}: there is no such setting${meant(key, names)}${allowed}`;
    });
  }
  const value = issue.path.reduce<unknown>(
    (node, key) => (isTree(node) || Array.isArray(node) ? (node as Tree)[String(key)] : undefined),
    tree,
  );
  const shown = isSecretSetting(at) ? 'not shown' : `it is ${shownValue(value)}`;
  return [`${at}: ${issue.message} (${shown})`];
}

/** A value as JSON; of a list or a mapping, which may hold secrets and be endless by references, what it is. */
const shownValue = (value: unknown): string =>
  Array.isArray(value)
    ? 'a list'
    : isTree(value)
      ? `a mapping of ${Object.keys(value).slice(0, 8).join(', ').slice(0, 200) || 'nothing'}`
      : JSON.stringify(value);

/** Sentences about settings that are allowed alone, but not together. */
function disagreements({ server, webrtc, memory, metrics, hooks }: Config): string[] {
  const { portMin, portMax, h264Port, minKbps, startKbps, maxKbps } = webrtc;
  const wrong: string[] = [];
  if (!isLocal(server.host) && server.token === null) {
    wrong.push(
      `server.token: must be set where server.host (${server.host}) is open to other machines; sixteen characters or more that nobody guesses`,
    );
  }
  if ((server.certificate === null) !== (server.key === null))
    wrong.push('server.certificate: must be set together with server.key');
  if (portMin > portMax) wrong.push(`webrtc.portMin: must not be above webrtc.portMax (${portMin} > ${portMax})`);
  if (h264Port > 0 && portMin <= h264Port && h264Port <= portMax)
    wrong.push(
      `webrtc.h264Port: must lie outside portMin to portMax (${portMin} to ${portMax}), whose ports others take`,
    );
  if (minKbps > startKbps || startKbps > maxKbps) {
    wrong.push(`webrtc.startKbps: must lie between minKbps and maxKbps (${minKbps}, ${startKbps}, ${maxKbps})`);
  }
  if (memory.releaseAt > memory.degradeAt)
    wrong.push(`memory.releaseAt: must not be above memory.degradeAt (${memory.releaseAt} > ${memory.degradeAt})`);
  return [...wrong, ...disagreeingMetrics(metrics, server), ...disagreeingHooks(hooks)];
}

function disagreeingMetrics(
  { enabled, host, port, stageBucketsMs }: Config['metrics'],
  server: Config['server'],
): string[] {
  const wrong: string[] = [];
  if (host !== null && port === null)
    wrong.push('metrics.host: needs metrics.port too; without a port of their own, metrics are served on server.port');
  if (port !== null && !enabled)
    wrong.push('metrics.port: serves nothing while metrics.enabled is false; leave out one of the two');
  if (port !== null && port !== 0 && port === server.port)
    wrong.push(`metrics.port: must not be server.port (${port}); leave it out to serve metrics there`);
  if (stageBucketsMs.some((ms, i) => i > 0 && ms <= stageBucketsMs[i - 1]!))
    wrong.push('metrics.stageBucketsMs: must rise from one to the next');
  return wrong;
}

function withPaths(config: Config, folder: string): Config {
  const { server, models, storage, recording, logging, hooks } = config;
  const at = (name: string): string => path.resolve(folder, name);
  const maybeAt = (name: string | null): string | null => (name === null ? null : at(name));
  return {
    ...config,
    server: { ...server, certificate: maybeAt(server.certificate), key: maybeAt(server.key) },
    models: { ...models, dir: at(models.dir), cacheDir: at(models.cacheDir) },
    storage: { ...storage, dir: at(storage.dir) },
    recording: { ...recording, dir: at(recording.dir) },
    logging: { ...logging, dir: at(logging.dir) },
    hooks: { ...hooks, commands: hooks.commands.map((one) => ({ ...one, run: programAt(one.run, folder) })) },
  };
}

/** A program that is named by a relative path starts at the folder, one by its name alone is looked for in PATH. */
const programAt = ([program = '', ...args]: readonly string[], folder: string): string[] => [
  /[/\\]/.test(program) ? path.resolve(folder, program) : program,
  ...args,
];

function bad(lines: string[]): FaceOffError {
  return new FaceOffError(
    'bad_config',
    `The configuration cannot be used:\n${lines.map((line) => `  ${line}`).join('\n')}`,
  );
}

/** `; did you mean …?` if a known name is close, else an empty text. */
function meant(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === null ? '' : `; did you mean ${near}?`;
}

/** The closest known name by edit distance; null if none is close. */
function nearest(name: string, known: readonly string[]): string | null {
  const scored = known.map((other) => [other, distance(name.toLowerCase(), other.toLowerCase())] as const);
  const [best, d] = scored.reduce((a, b) => (b[1] < a[1] ? b : a), ['', Infinity]);
  return d <= Math.max(2, name.length / 4) ? best : null;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
