/**
 * The zod schemas of the JSON replies, from which the OpenAPI document is made. Types hold them against messages.ts: a
 * field that one of both lacks, or has with another type, does not compile. A test holds them against real replies.
 */

import { z } from 'zod';
import type { Phrase } from '../../shared/language/phrase.ts';
import type {
  BackgroundInfo,
  BlockedFace,
  CacheReport,
  Cause,
  ConfigReport,
  Confirmation,
  ConsentRecord,
  ErrorBody,
  FaceInfo,
  FacePreview,
  FaceReport,
  MachineHistory,
  MachineSample,
  ModelInfo,
  PackImport,
  PhotoFinding,
  PhotoFlaw,
  PhotoReport,
  PickableFace,
  Preflight,
  PresetInfo,
  ProcessorSample,
  RecordingInfo,
  RecordingState,
  SessionStats,
  SettingReport,
  SeveralFaces,
  UnmarkedChoice,
  Verdict,
} from '../../shared/messages.ts';
import type { Pressure, SeenFace } from '../../shared/types.ts';
import { allSettingsSchema, patchSchema, presetSchema } from '../session/session-settings.ts';

/** Schemas that the document lists under their names, in `components.schemas`. */
export const namedSchemas = z.registry<{ id: string }>();

/** An object with exactly the fields of T. */
const objectOf = <T>(shape: { [K in keyof T]-?: z.ZodType<T[K]> }): z.ZodObject<typeof shape> => z.object(shape);

/** As `objectOf`, with a name in the document. */
function named<T>(id: string, shape: { [K in keyof T]-?: z.ZodType<T[K]> }): z.ZodObject<typeof shape> {
  const schema = objectOf<T>(shape);
  namedSchemas.add(schema, { id });
  return schema;
}

/** One of the texts of a union, all of which are given. */
const oneOf = <T extends string>(values: Record<T, true>): z.ZodType<T> => z.enum(Object.keys(values) as T[]);

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const figure = z.number();
const time = z.iso.datetime();
const pressure = oneOf<Pressure>({ none: true, release: true, degrade: true });

/** A sentence of the server for pages in other languages. */
const phraseSchema: z.ZodType<Phrase> = named<Phrase>('Phrase', {
  key: z.string().describe('The English sentence, with `{{name}}` for each value.'),
  values: z.record(z.string(), z.union([z.string(), z.number(), z.lazy(() => phraseSchema)])).optional(),
});

/** Every refusal. */
const errorSchema = named<ErrorBody>('Error', {
  code: z.string().describe('What is wrong, for programs. A code has one meaning and one status.'),
  message: z.string().describe('What is wrong and what to do, for people.'),
  details: z.unknown().optional().describe('What else programs may need, by code.'),
});

/** A source face. */
export const faceSchema = named<FaceInfo>('Face', {
  id: z.string(),
  name: z.string(),
  builtIn: z.boolean().describe('Shipped faces cannot be deleted.'),
  thumbnail: z.string().describe('Path on this server.'),
  addedAt: time,
  photos: count.describe('Number of photos the face was made from.'),
  licence: z.string().nullable().describe('Of its photos; null where none is known.'),
  consentedAt: time
    .nullable()
    .describe('When the consent was last confirmed; null for shipped faces, and where it never was.'),
  consentDue: z.boolean().describe('Whether it has to be confirmed again before the face can be chosen.'),
});

/** What became of a pack. */
export const packImportSchema = named<PackImport>('PackImport', {
  added: z.array(faceSchema),
  refused: z
    .array(z.object({ name: z.string(), photo: z.string(), code: z.string(), message: z.string() }))
    .describe('Photos that were not taken, and why.'),
});

/** The consent for a face. */
export const consentSchema = named<ConsentRecord>('Consent', {
  face: z.string(),
  name: z.string(),
  due: z.boolean().describe('Whether it has to be confirmed again before the face can be chosen.'),
  confirmations: z
    .array(
      objectOf<Confirmation>({
        statement: z.string().describe('The sentence that was confirmed.'),
        confirmedAt: time,
        confirmedBy: z.string().nullable().describe('Who confirmed it, as they call themselves.'),
        photos: z
          .array(z.object({ photo: z.string(), sha256: z.string(), uploadSha256: z.string().nullable() }))
          .describe('SHA-256 of each photo as it is kept, and of the picture that was sent, where that was at hand.'),
      }),
    )
    .describe('The newest last.'),
});

/** A face that is not taken. */
export const blockedFaceSchema = named<BlockedFace>('BlockedFace', {
  id: z.string(),
  note: z.string().describe('For people: who asked, and where.'),
  addedAt: time,
});

/** A picture for backgrounds. */
export const backgroundSchema = named<BackgroundInfo>('Background', { id: z.string(), addedAt: time });

const finding = objectOf<PhotoFinding>({
  flaw: oneOf<PhotoFlaw>({
    'cut-off': true,
    covered: true,
    turned: true,
    small: true,
    blurred: true,
    dark: true,
    'burnt-out': true,
    'uneven-light': true,
    colourless: true,
  }),
  message: z.string(),
});

/** How a face would look. */
export const facePreviewSchema = named<FacePreview>('FacePreview', {
  picture: z.string().describe('The face on a shipped portrait: a data URL, WebP.'),
  findings: z.array(finding).describe('What is wrong with the photo, the gravest first; empty for a good one.'),
});

const photoReport = objectOf<PhotoReport>({
  picture: z.string().describe('Path on this server.'),
  width: count,
  height: count,
  facePixels: count.describe('Longer side of the face.'),
  yawDegrees: figure.describe('Where the head is turned: to the right of the picture; negative to the left.'),
  pitchDegrees: figure.describe('Positive looks down.'),
  findings: z.array(finding).describe('What is wrong with the photo, the gravest first; empty for a good one.'),
});

/** A face, and how well it will do. */
export const faceReportSchema = named<FaceReport>('FaceReport', {
  face: faceSchema,
  photos: z.array(photoReport),
  advice: z.array(z.string()).describe('Which photo would help, the most useful first.'),
  said: z.array(phraseSchema).describe('The same for pages in another language.'),
});

const pickable = { index: count, x: figure, y: figure, width: figure, height: figure };

/** The `details` of `several_faces`. */
named<SeveralFaces>('SeveralFaces', {
  width: count.describe('Of the upright picture, in pixels.'),
  height: count,
  faces: z.array(objectOf<PickableFace>(pickable)),
});

/** A preset. */
export const presetInfoSchema = named<PresetInfo>('Preset', { name: z.string(), settings: presetSchema });
namedSchemas.add(presetSchema, { id: 'PresetSettings' });
namedSchemas.add(patchSchema, { id: 'SettingsPatch' });
namedSchemas.add(allSettingsSchema, { id: 'Settings' });

const verdict = objectOf<Verdict>({
  cause: oneOf<Cause>({
    good: true,
    content: true,
    size: true,
    processor: true,
    lane: true,
    network: true,
    camera: true,
    memory: true,
    model: true,
    faces: true,
  }),
  text: z.string().describe('One sentence with figures and what would help.'),
  said: phraseSchema.optional().describe('The same for pages in another language.'),
});

const seenFace = objectOf<SeenFace>({
  track: count.describe('Stays with the person for the session; the key of `map`.'),
  x: figure,
  y: figure,
  width: figure,
  height: figure,
  swapped: z.boolean(),
});

/** A recording under way, or the last one of a session. */
export const recordingStateSchema = named<RecordingState>('RecordingState', {
  active: z.boolean(),
  startedAt: time,
  lastedMs: figure,
  folder: z.string().describe('Folder on the server.'),
  files: z.array(z.string()).describe('Finished files, in order.'),
  bytes: count,
  frames: count,
  dropped: count.describe('Frames that were left out because the encoder or the disk was too slow.'),
  error: errorSchema.nullable().describe('The error that ended it; null if none did.'),
});

const spread = (what: string) =>
  objectOf<{ p50: number; p95: number }>({ p50: figure, p95: figure }).describe(`${what}, in milliseconds.`);

/** What `/api/sessions` adds to the figures of a session. */
interface SessionEntry extends SessionStats {
  stream: string;
  viewers: number;
  modified: boolean;
  unmarked: UnmarkedChoice | null;
  settings: z.infer<typeof allSettingsSchema>;
}

/** A live session. */
export const sessionSchema = named<SessionEntry>('Session', {
  session: z.string().describe('Id of the session.'),
  stream: z.string().describe('Name of its stream.'),
  viewers: count,
  modified: z.boolean().describe('Whether its pictures count as modified by AI.'),
  unmarked: objectOf<UnmarkedChoice>({
    at: time,
    by: oneOf<UnmarkedChoice['by']>({ config: true, publisher: true, api: true, render: true, camera: true }),
    session: z.string().nullable(),
  })
    .nullable()
    .describe('The choice by which others see modified pictures without the mark; null while they are marked.'),
  settings: allSettingsSchema,
  width: count.describe('Of the camera’s frames, in pixels.'),
  height: count,
  fpsIn: figure.describe('Frames a second from the decoder.'),
  fpsOut: figure.describe('Frames a second to the encoder.'),
  frameMs: spread('From the decoder to the encoder'),
  waitMs: spread('From the decoder to the lane'),
  stagesMs: z.record(z.string(), figure).describe('Time per stage, in milliseconds.'),
  swapped: count,
  passed: count,
  dropped: count,
  failed: count,
  plan: z.string().describe('Name of the plan in force.'),
  level: count.describe('Its place on the ladder, 0 = full quality.'),
  maxFps: figure.nullable().describe('Most frames a second that the plan swaps; null for all.'),
  soundDelayMs: figure
    .nullable()
    .describe('How long sound waits for its picture; negative: the picture waits for the sound; null without sound.'),
  faces: z.array(seenFace),
  verdict: verdict.describe('What limits the session.'),
  recording: recordingStateSchema.exactOptional(),
});

/** A finished recording. */
export const recordingSchema = named<RecordingInfo>('Recording', {
  file: z.string(),
  bytes: count,
  finishedAt: time,
  url: z.string().describe('Path on this server.'),
});

const gpuState = { usedBytes: count, totalBytes: count, utilisation: figure.nullable() };
const gpuName = { name: z.string(), driver: z.string(), computeCapability: z.string().nullable() };

/** The machine at one moment. */
const sampleSchema = named<MachineSample>('MachineSample', {
  atMs: figure.describe('Milliseconds since 1970.'),
  gpu: z.object(gpuState).nullable(),
  rssBytes: count,
  availableBytes: count,
  cores: figure.describe('Cores that the server’s processes use: 1 is one core.'),
  processor: objectOf<ProcessorSample>({ cores: figure, busy: figure, allowed: figure, throttled: figure }),
  loopDelayMs: figure,
  sessions: count,
  fps: figure,
  frameMs: figure,
  level: count,
  pressure,
});

/** The machine's last minutes. */
export const historySchema = named<MachineHistory>('MachineHistory', {
  intervalMs: figure,
  gpu: z.object(gpuName).nullable(),
  samples: z.array(sampleSchema),
});

/** A model of the catalogue. */
export const modelSchema = named<ModelInfo>('Model', {
  name: z.string(),
  role: z.string(),
  state: oneOf<ModelInfo['state']>({
    absent: true,
    present: true,
    verified: true,
    loading: true,
    ready: true,
    failed: true,
  }),
  provider: z.string().nullable(),
  why: z.string().nullable().describe('One sentence: why it failed, or what is being built for it.'),
  licence: z.string(),
  commercialUse: z.boolean(),
  bytes: count.nullable(),
  comesAlong: z.boolean(),
  needs: z.array(z.string()),
});

const settingSchema = named<SettingReport>('Setting', {
  value: z.unknown().describe('The value in force, without secrets.'),
  isDefault: z.boolean(),
  from: oneOf<SettingReport['from']>({ default: true, file: true, environment: true, 'command line': true }),
  at: z.string().nullable().describe('`FILE:LINE`, the name of the variable, or `--set`; null for a default.'),
  live: z.boolean().describe('Whether a running server takes it over from a changed file.'),
  takenAt: time.nullable().describe('When the running server last took a new value over.'),
  needsRestart: z.boolean().describe('Whether the file has another value by now, which needs a restart.'),
});

/** The configuration in force. */
export const configSchema = named<ConfigReport>('Configuration', {
  file: z.string().nullable().describe('Path of config.yaml; null where there is none.'),
  refused: z.string().nullable().describe('Why the file, as it was last read, was refused; null if it was not.'),
  settings: z.record(z.string(), settingSchema).describe('By `section.key`.'),
});

const cacheKind = named<CacheReport>('CacheKind', {
  kind: z.string(),
  meaning: z.string(),
  swept: z.boolean().describe('Whether the schedule cleans it.'),
  items: count,
  bytes: count,
  inUse: count,
  usedAt: time.nullable(),
});

/** The cache folder. */
export const cacheSchema = z.object({
  limits: z.object({ maxMb: figure, maxAgeDays: figure, cleanIntervalMs: figure }),
  kinds: z.array(cacheKind),
});

/** What a deletion from the cache deleted. */
export const clearedSchema = z.object({ deleted: count, bytes: count, inUse: count });

/** How many more cameras the machine can swap. */
export const preflightSchema = named<Preflight>('Preflight', {
  sessions: count,
  fps: figure.nullable(),
  text: z.string(),
  said: phraseSchema.optional().describe('The same for pages in another language.'),
});

/** The server. */
export const statusSchema = z.object({
  version: z.string(),
  node: z.string(),
  uptimeMs: count,
  sessions: count,
  rooms: count,
  peers: count,
  laneSessions: count,
  rssBytes: count,
  models: z.array(z.object({ model: z.string(), provider: z.string(), cached: z.boolean(), loadMs: figure })),
  gpu: z.object({ ...gpuName, ...z.object(gpuState).partial().shape }).nullable(),
  memory: z.object({ rssBytes: count, limitBytes: count, pressure }),
});
namedSchemas.add(statusSchema, { id: 'Status' });

/** A CPU profile, in the form of V8's `.cpuprofile`. */
export const profileSchema = z.looseObject({
  nodes: z.array(z.looseObject({ id: count, callFrame: z.looseObject({ functionName: z.string(), url: z.string() }) })),
  startTime: figure.describe('Microseconds, from an arbitrary moment.'),
  endTime: figure,
  samples: z.array(count).describe('Node that ran, at each sample.'),
  timeDeltas: z.array(figure).describe('Microseconds between samples.'),
});
namedSchemas.add(profileSchema, { id: 'CpuProfile' });
