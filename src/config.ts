/**
 * Every key of config.yaml, typed, with its default. Sources in this order, later ones win: defaults, config.yaml,
 * environment (`FACEOFF_SERVER_PORT=9000`), command line (`--set server.port=9000`). Unknown keys are refused at start.
 */

import path from 'node:path';
import { load } from 'js-yaml';
import { z } from 'zod';
import { configError, faultsOf } from './config/config-errors.ts';
import { type ConfigTree, isTree, readConfigFile } from './config/config-file.ts';
import { isNoSetting, VARIABLE_PREFIX, variableOfKey } from './config/config-variables.ts';
import { disagreeingHooks, hookSettings } from './config/hook-settings.ts';
import { live } from './config/live-setting.ts';
import { meantName } from './config/nearest-name.ts';
import { isSecretSetting } from './config/secret-settings.ts';
import { isLocal } from './lib/address.ts';
import { PRIORITIES } from './lib/priority.ts';
import { listSchema, textSchema } from './lib/text-schema.ts';
import { RECORDING_FORMATS } from './shared/recording-formats.ts';
import { BACKGROUNDS, COLOUR, FACE_CHOICES, FALLBACKS, RESERVES, SETTINGS } from './shared/settings.ts';
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
    names: live(z.array(textSchema(1)).default([])),
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
    drainMs: live(whole(0, 86_400_000, 0)),
    origins: live(
      z.array(z.string().refine(isOrigin, 'must be an origin, such as https://studio.example')).default([EXTENSION]),
    ),
  }),
  limits: section({
    sessions: live(whole(1, 1000, 4)),
    uploadBytes: live(whole(1024, 2 ** 30, 20 * 2 ** 20)),
    packBytes: live(whole(1024, 2 ** 31, 64 * 2 ** 20)),
    picturePixels: live(whole(10_000, 1e9, 50e6)),
    pictureSide: live(whole(100, 1e6, 16_384)),
    pictureMemoryMb: live(whole(16, 100_000, 512)),
    pictureTimeoutMs: live(whole(1000, 600_000, 10_000)),
    frameWidth: whole(64, 7680, 3840),
    frameHeight: whole(64, 4320, 2160),
    faces: live(whole(1, 10_000, 64)),
    presets: live(whole(0, 1000, 64)),
    backgrounds: live(whole(0, 1000, 24)),
    viewers: live(whole(0, 1000, 12)),
    roomPeople: live(whole(2, 16, 4)),
    wrongTokens: live(whole(0, 10_000, 10)),
    requestTimeoutMs: whole(200, 3_600_000, 60_000),
    connectionsPerAddress: live(whole(0, 100_000, 256)),
  }),
  webrtc: section({
    iceServers: live(
      z
        .array(
          z.strictObject({
            urls: listSchema(z.string().regex(/^(stun|turn)s?:/, 'must begin with stun: or turn:'), 1),
            username: z.string().optional(),
            credential: z.string().optional(),
            secret: textSchema(1).optional(),
          }),
        )
        .default([]),
    ),
    announce: live(
      z
        .array(
          z
            .string()
            .regex(/^(?:[\w-]+(?:\.[\w-]+)*\.?|[\d.]+|[\da-f:.]+)$/i, 'must be an address or a name, without a port'),
        )
        .max(8)
        .default([]),
    ),
    turnLifetimeMs: live(whole(60_000, 7 * 86_400_000, 12 * 3_600_000)),
    portMin: live(whole(0, 65535, 0)),
    portMax: live(whole(0, 65535, 0)),
    h264Port: whole(0, 65535, 0),
    startKbps: live(whole(100, 100_000, 4000)),
    minKbps: live(whole(30, 100_000, 1000)),
    maxKbps: live(whole(100, 100_000, 8000)),
    h264Encoder: z.enum(['auto', 'x264']).default('auto'),
    connectTimeoutMs: live(whole(100, 600_000, 15_000)),
    lostTimeoutMs: live(whole(100, 600_000, 10_000)),
    idleTimeoutMs: live(whole(100, 3_600_000, 30_000)),
  }),
  pipeline: section({
    lanes: z.union([z.literal('auto'), z.int().min(1).max(64)]).default('auto'),
    budgetMs: number(5, 1000, 33),
    fallback: live(choice(FALLBACKS, SETTINGS.fallback.default)),
    guarded: live(z.boolean().default(SETTINGS.guarded.default)),
    offAirPicture: textSchema(1).nullable().default(null),
  }),
  detection: section({
    score: live(number(0.1, 0.99, 0.5)),
    intervalMs: live(whole(0, 60_000, 1000)),
    faces: live(whole(1, 16, 4)),
    minSize: live(whole(16, 1000, 32)),
  }),
  tracking: section({
    minCutoffHz: live(number(0.01, 1000, 2)),
    beta: live(number(0, 1000, 8)),
    lostAfterFrames: live(whole(1, 300, 3)),
  }),
  swap: section({
    engine: live(modelName(SETTINGS.engine.default)),
    face: live(
      z
        .string()
        .regex(/^[a-z0-9-]{1,64}$/)
        .default(SETTINGS.face.default ?? ''),
    ),
    choice: live(choice(FACE_CHOICES, SETTINGS.choice.default)),
    strength: live(number(0, 1, SETTINGS.strength.default)),
    shape: live(number(0, 1, SETTINGS.shape.default)),
    keepEyes: live(z.boolean().default(SETTINGS.keepEyes.default)),
    keepMouth: live(z.boolean().default(SETTINGS.keepMouth.default)),
    colour: live(number(0, 1, 1)),
    crossfadeMs: live(whole(0, 5000, 300)),
    boost: whole(1, 4, 1),
    mask: modelName('none'),
    reserve: choice(RESERVES, 'mesh'),
  }),
  background: section({
    choice: live(choice(BACKGROUNDS, SETTINGS.background.default)),
    colour: live(
      z.string().regex(COLOUR, 'must be a colour such as "#00b140"').default(SETTINGS.backgroundColour.default),
    ),
    picture: live(
      z
        .string()
        .regex(/^[a-z0-9-]{1,64}$/)
        .nullable()
        .default(SETTINGS.backgroundPicture.default),
    ),
  }),
  restoration: section({ sharpness: live(number(0, 1, 0.85)), model: modelName('none'), blend: number(0, 1, 0.8) }),
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
    format: live(choice(RECORDING_FORMATS, 'webm')),
    maxMb: live(whole(1, 100_000_000, 2048)),
    minFreeMb: live(whole(0, 100_000_000, 512)),
  }),
  control: section({
    oscPort: z.int().min(0).max(65535).nullable().default(null),
    oscHost: textSchema(1).default('127.0.0.1'),
    oscStream: textSchema(1, 64).default('studio'),
  }),
  faces: section({
    consentDays: live(whole(1, 36_500, 365)),
    key: textSchema(1).nullable().default(null),
    keyFile: textSchema(1).nullable().default(null),
  }),
  disclosure: section({
    badge: live(z.boolean().default(SETTINGS.badge.default)),
    acknowledged: live(z.boolean().default(false)),
    corner: choice(CORNERS, 'top-right'),
    sign: z.boolean().default(true),
    watermark: z.boolean().default(true),
  }),
  safety: section({ contentCheck: z.boolean().default(true), contentThreshold: number(0.05, 0.99, 0.95) }),
  memory: section({
    rssLimitMb: live(whole(128, 1_000_000, 4096)),
    releaseAt: live(number(0.1, 1, 0.85)),
    degradeAt: live(number(0.1, 1, 0.95)),
    intervalMs: whole(100, 60_000, 1000),
    historyMinutes: live(whole(1, 1440, 10)),
  }),
  cache: section({
    maxMb: live(whole(0, 100_000_000, 20_000)),
    maxAgeDays: live(number(0, 36_500, 90)),
    cleanIntervalMs: live(whole(1000, 7 * 86_400_000, 3_600_000)),
  }),
  logging: section({
    level: live(choice(LEVELS, 'info')),
    fileLevel: live(choice(LEVELS, 'debug')),
    dir: textSchema(1).default('./logs'),
    fileSizeMb: number(0.001, 10_000, 10),
    files: whole(1, 1000, 5),
    pretty: choice(['auto', 'always', 'never'], 'auto'),
  }),
  livekit: section({
    url: z
      .string()
      .refine(
        (text) => /^(ws|http)s?:/.test(text) && URL.canParse(text),
        'must be an address, such as wss://livekit.example',
      )
      .nullable()
      .default(null),
    key: textSchema(1).nullable().default(null),
    secret: textSchema(1).nullable().default(null),
    agentName: z
      .string()
      .regex(/^[\w-]{1,64}$/, 'must have 1 to 64 letters, digits, - and _')
      .default('faceoff'),
    pages: z.boolean().default(true),
    maxLoad: number(0.05, 1, 0.7),
    codec: choice(['h264', 'vp8'], 'h264'),
    kbps: whole(100, 100_000, 3000),
    drainMs: whole(0, 3_600_000, 10_000),
    recycleMb: z.int().min(256).max(1_000_000).nullable().default(3072),
    tokenLifetimeMs: whole(60_000, 30 * 86_400_000, 6 * 3_600_000),
    healthHost: textSchema(1).default('127.0.0.1'),
    healthPort: z.int().min(0).max(65535).nullable().default(8081),
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

/** Where a value comes from. */
export interface SettingOrigin {
  from: 'default' | 'file' | 'environment' | 'command line';
  /** `FILE:LINE`, the name of the variable, or `--set`; null for a default. */
  at: string | null;
}

/** The configuration, and where it comes from. */
export interface LoadedConfig {
  config: Config;
  /** The configuration of a file in the same folder that sets nothing. */
  defaults: Config;
  /** By `section.key`; a setting that is not in it has its default. */
  origins: ReadonlyMap<string, SettingOrigin>;
  /** Whether there is a file. */
  hasFile: boolean;
}

/** @throws FaceOffError `bad_config`: one line for each thing wrong, with the key's place, path and what is allowed. */
export const loadConfig = (sources: ConfigSources): Config => readConfig(sources).config;

/** As `loadConfig`, with the origin of each value. @throws FaceOffError `bad_config`. */
export function readConfig({ file, isRequired = false, env = {}, set = [] }: ConfigSources): LoadedConfig {
  const { tree, exists, positionOf } = readConfigFile(file, isRequired);
  const wrong: string[] = [];
  const origins = new Map<string, SettingOrigin>();
  for (const [name, keys] of Object.entries(tree))
    for (const key of isTree(keys) ? Object.keys(keys) : [])
      origins.set(`${name}.${key}`, { from: 'file', at: `${file}:${positionOf([name, key])?.line ?? 1}` });
  const variables = new Map(settingPaths().map((key) => [variableOfKey(key), key]));
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.startsWith(VARIABLE_PREFIX) || isNoSetting(name, value)) continue;
    const key = variables.get(name);
    if (key !== undefined && isLeftOut(key, value)) continue;
    if (key === undefined) wrong.push(`the variable ${name} is not a setting${meantName(name, [...variables.keys()])}`);
    else {
      put(tree, key, value);
      origins.set(key, { from: 'environment', at: name });
    }
  }
  for (const assignment of set) {
    const at = assignment.indexOf('=');
    const key = assignment.slice(0, at);
    if (at < 1) wrong.push(`--set ${assignment}: write it as section.key=value, for instance --set server.port=9000`);
    else if (!settingPaths().includes(key))
      wrong.push(`--set ${assignment}: there is no setting ${key}${meantName(key, settingPaths())}`);
    else {
      put(tree, key, assignment.slice(at + 1));
      origins.set(key, { from: 'command line', at: '--set' });
    }
  }
  const place = (at: readonly PropertyKey[]): string => {
    const origin = origins.get(at.slice(0, 2).join('.'));
    if (origin !== undefined && origin.from !== 'file') return `${origin.at}: `;
    const position = positionOf(at);
    return position === null ? '' : `${file}:${position.line}:${position.column}: `;
  };
  const result = Schema.safeParse(tree);
  const known = defaultConfig();
  const faults = result.success
    ? disagreements(result.data).map((text) => ({ path: text.slice(0, text.indexOf(':')).split('.'), text }))
    : result.error.issues.flatMap((issue) => faultsOf(issue, tree, known));
  wrong.push(...faults.map((fault) => place(fault.path) + fault.text));
  if (!result.success || wrong.length > 0) throw configError(wrong);
  const folder = path.dirname(path.resolve(file));
  return {
    config: withPaths(result.data, folder),
    defaults: withPaths(known, folder),
    origins,
    hasFile: exists,
  };
}

/**
 * Whether a variable is empty, as compose files leave one whose own variable is not set, and the setting cannot be. An
 * empty secret is refused: it would open a server that was to have a token.
 */
const isLeftOut = (key: string, value: string): boolean =>
  value === '' && !isSecretSetting(key) && !isAllowed(key, value);

/** Whether the schema takes a value for a setting. */
function isAllowed(key: string, value: unknown): boolean {
  const [section, setting] = key.split('.') as [string, string];
  return Schema.safeParse({ [section]: { [setting]: value } }).success;
}

/** Every setting as `section.key`. */
export function settingPaths(): string[] {
  return Object.entries(defaultConfig()).flatMap(([name, keys]) => Object.keys(keys).map((key) => `${name}.${key}`));
}

/** The settings that a running server takes over from a changed file, as `section.key`; the others need a restart. */
export function liveSettings(): ReadonlySet<string> {
  const sections = Object.entries(Schema.shape).flatMap(([name, keys]) =>
    Object.entries(keys.unwrap().shape as z.ZodRawShape).map(([key, schema]) => [`${name}.${key}`, schema] as const),
  );
  return new Set(sections.flatMap(([key, schema]) => ((schema as z.ZodType).meta()?.live === true ? [key] : [])));
}

/**
 * The value that a variable or --set gives to a setting. The text is YAML, so that numbers, booleans and lists come out
 * as such, unless the setting takes the text itself: a face may be called 123. A list may be written without its brackets.
 */
function parseValue(key: string, text: string): unknown {
  if (isAllowed(key, text)) return text;
  const value = fromYaml(text);
  if (Array.isArray(value) || isAllowed(key, value)) return value;
  const parts = text.split(',').map((part) => part.trim());
  return [parts, parts.map(fromYaml)].find((list) => isAllowed(key, list)) ?? value;
}

/** What a text is as YAML, or itself. */
function fromYaml(text: string): unknown {
  try {
    return load(text) ?? text;
  } catch {
    return text;
  }
}

/** Sets a key that exists. */
function put(tree: ConfigTree, key: string, text: string): void {
  const [section, setting] = key.split('.') as [string, string];
  const keys = tree[section] ?? {};
  // The schema refuses a section that is not a mapping.
  if (isTree(keys)) tree[section] = { ...keys, [setting]: parseValue(key, text) };
}

/** Sentences about settings that are allowed alone, but not together; each begins with the name of one of them. */
export function disagreements({ server, webrtc, memory, metrics, hooks, livekit, faces }: Config): string[] {
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
  if (livekit.url !== null && (livekit.key === null || livekit.secret === null))
    wrong.push('livekit.url: needs livekit.key and livekit.secret too (FACEOFF_LIVEKIT_KEY, FACEOFF_LIVEKIT_SECRET)');
  if (faces.key !== null && faces.keyFile !== null)
    wrong.push('faces.key: and faces.keyFile are both set; leave out one of the two');
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
  const { server, pipeline, models, storage, faces, recording, logging, hooks } = config;
  const at = (name: string): string => path.resolve(folder, name);
  const maybeAt = (name: string | null): string | null => (name === null ? null : at(name));
  return {
    ...config,
    server: { ...server, certificate: maybeAt(server.certificate), key: maybeAt(server.key) },
    pipeline: { ...pipeline, offAirPicture: maybeAt(pipeline.offAirPicture) },
    models: { ...models, dir: at(models.dir), cacheDir: at(models.cacheDir) },
    storage: { ...storage, dir: at(storage.dir) },
    faces: { ...faces, keyFile: maybeAt(faces.keyFile) },
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
