/**
 * Every operation of the server, for the OpenAPI document. A test holds the table against the routes that Fastify has,
 * and the replies of a running server against the document.
 */

import { z } from 'zod';
import type { ErrorCode } from '../../shared/error-catalogue.ts';
import { RECORDING_FORMATS } from '../../shared/recording-formats.ts';
import { SWITCHES } from '../../shared/steps.ts';
import { allSettingsSchema, patchSchema, presetSchema } from '../session/session-settings.ts';
import { backgroundOperations } from './background-operations.ts';
import { blockedFaceOperations } from './blocked-face-operations.ts';
import { clusterOperations } from './cluster-operations.ts';
import { faceOperations } from './face-operations.ts';
import {
  deletedReply as deleted,
  type Group,
  getOperation as get,
  jsonReply as json,
  type Operation,
  type OperationReply,
  type ParameterName,
  SETTINGS_ERRORS,
  UNWANTED_BODY,
} from './operation.ts';
import {
  cacheSchema,
  clearedSchema,
  configSchema,
  historySchema,
  modelSchema,
  preflightSchema,
  presetInfoSchema,
  profileSchema,
  recordingSchema,
  recordingStateSchema,
  sessionSchema,
  statusSchema,
} from './reply-schemas.ts';

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';

const page: Record<number, OperationReply> = {
  200: { text: 'The page.', schema: 'text', types: ['text/html'], headers: ['Cache-Control'] },
};

/** Errors of a change of settings. */
const CHANGE: readonly ErrorCode[] = [
  'unknown_face',
  'unknown_model',
  'unknown_background',
  'model_missing',
  'consent_due',
];
const all = json('All settings as they are then.', allSettingsSchema);

/** The operations of live control, at one kind of address. */
function controlOf(what: 'session' | 'stream', finding: readonly ErrorCode[]): Operation[] {
  const at = `/api/${what}s/{${what}}`;
  const of = what === 'session' ? 'Session' : 'Stream';
  const change = (path: string, id: string, summary: string, errors: readonly ErrorCode[] = []): Operation => ({
    method: 'post',
    path: `${at}/${path}`,
    id: `${id}Of${of}`,
    group: 'live',
    summary,
    replies: all,
    errors: [...finding, 'body_too_large', ...CHANGE, ...errors],
  });
  return [
    {
      method: 'get',
      path: `${at}/settings`,
      id: `readSettingsOf${of}`,
      group: 'live',
      summary: `All settings of a ${what}`,
      replies: json('All settings.', allSettingsSchema),
      errors: finding,
    },
    {
      method: 'patch',
      path: `${at}/settings`,
      id: `changeSettingsOf${of}`,
      group: 'live',
      summary: `Changes settings of a ${what}; what is absent stays as it is`,
      body: { json: patchSchema },
      replies: all,
      errors: [...finding, ...SETTINGS_ERRORS, 'body_too_large', ...CHANGE],
    },
    change('face/next', 'nextFace', 'Takes the next face', ['each_their_own']),
    change('face/previous', 'previousFace', 'Takes the face before', ['each_their_own']),
    change('toggle', 'toggle', 'Switches the swap on or off; all other settings stay'),
    ...SWITCHES.map((name) =>
      change(`toggle/${name}`, `toggle${name[0]!.toUpperCase()}${name.slice(1)}`, `Switches \`${name}\` on or off`),
    ),
    change('preset/{preset}', 'takePreset', 'Takes the settings of a preset', ['unknown_preset']),
  ];
}

/** Errors of an offer. */
const OFFER: readonly ErrorCode[] = [
  'wrong_type',
  'bad_sdp',
  'offer_too_large',
  'no_video',
  'no_codec',
  'bad_candidate',
  'server_full',
  'ports_taken',
  'session_closed',
];

/** WHIP or WHEP. */
function negotiated(name: 'Publish' | 'Watch', endpoint: string, id: ParameterName, post: object): Operation[] {
  const one = `${endpoint}/{${id}}`;
  const group: Group = 'webrtc';
  return [
    {
      method: 'post',
      path: endpoint,
      id: name.toLowerCase(),
      group,
      summary: `${name}: an offer opens a ${id}`,
      body: { text: SDP, example: 'v=0\r\n' },
      replies: {
        201: {
          text: 'The answer.',
          schema: 'text',
          types: [SDP],
          headers: ['Location', 'ETag', 'Accept-Patch', 'AI-Disclosure'],
          sometimes: ['Link'],
        },
      },
      errors: OFFER,
      ...post,
    },
    {
      method: 'options',
      path: endpoint,
      id: `${name.toLowerCase()}Options`,
      group,
      summary: 'What the address takes',
      replies: { 200: { text: 'See the headers.', headers: ['Allow', 'Accept-Post'] } },
      errors: ['wrong_type', 'offer_too_large'],
      isPublic: true,
    },
    {
      method: 'patch',
      path: one,
      id: `${name.toLowerCase()}Patch`,
      group,
      summary: 'Adds candidates; with new credentials restarts ICE (RFC 8840)',
      ifMatch: true,
      body: { text: FRAGMENT, example: 'a=end-of-candidates\r\n' },
      replies: {
        200: { text: 'The ICE restart’s answer.', schema: 'text', types: [FRAGMENT], headers: ['ETag'] },
        204: { text: 'The candidates are added.' },
      },
      errors: [
        'unknown_session',
        'session_closed',
        'wrong_type',
        'offer_too_large',
        'bad_fragment',
        'bad_candidate',
        'bad_sdp',
        'no_ice_restart',
        'tag_missing',
        'tag_old',
      ],
    },
    {
      method: 'delete',
      path: one,
      id: `${name.toLowerCase()}End`,
      group,
      summary: `Ends the ${id}`,
      replies: { 200: { text: 'It is closed.' } },
      errors: ['unknown_session', 'wrong_type', 'offer_too_large'],
    },
    {
      method: 'options',
      path: one,
      id: `${name.toLowerCase()}OneOptions`,
      group,
      summary: 'What the address takes',
      replies: { 200: { text: 'See the headers.', headers: ['Allow', 'Accept-Patch'] } },
      errors: ['wrong_type', 'offer_too_large'],
      isPublic: true,
    },
  ];
}

/** A face on the person of a session. */
const trialOperation: Operation = {
  method: 'post',
  path: '/api/sessions/{session}/preview',
  id: 'tryFace',
  group: 'live',
  summary: 'How a face looks on the person of a session now; its viewers see nothing of it',
  query: ['face'],
  replies: { 200: { text: 'The picture.', schema: 'binary', types: ['image/jpeg'], headers: ['Cache-Control'] } },
  errors: ['unknown_session', 'no_picture', 'not_shown', 'body_too_large', ...CHANGE],
};

const presetOperations: readonly Operation[] = [
  get('/api/presets', 'listPresets', 'All presets, in the order in which they were first saved', {
    group: 'presets',
    replies: json('The presets.', z.array(presetInfoSchema)),
  }),
  {
    method: 'put',
    path: '/api/presets/{preset}',
    id: 'savePreset',
    group: 'presets',
    summary: 'Adds a preset, or replaces the one with its name',
    body: { json: presetSchema },
    replies: json('The preset.', presetInfoSchema),
    errors: ['bad_json', 'bad_settings', 'bad_name', 'body_too_large', 'too_many_presets', 'not_saved'],
  },
  {
    method: 'delete',
    path: '/api/presets/{preset}',
    id: 'deletePreset',
    group: 'presets',
    summary: 'Deletes a preset',
    replies: deleted,
    errors: ['unknown_preset', 'not_saved', 'body_too_large'],
  },
];

const ofRecording = (method: 'get' | 'post' | 'delete', id: string, summary: string, rest: object): Operation => ({
  method,
  path: '/api/sessions/{session}/recording',
  id,
  group: 'recordings',
  summary,
  replies: json('The recording.', recordingStateSchema),
  errors: ['unknown_session', 'not_recording'],
  ...rest,
});

const recordingFile = {
  schema: 'binary',
  types: ['video/webm', 'video/mp4'],
  headers: ['Content-Disposition'],
} as const;

const recordingOperations: readonly Operation[] = [
  ofRecording('get', 'readRecording', 'The recording of a session that is under way, or its last one', {}),
  ofRecording('post', 'startRecording', `Records a session, as ${RECORDING_FORMATS.join(' or ')}`, {
    query: ['format'],
    replies: { 201: { text: 'The recording.', schema: recordingStateSchema } },
    errors: [
      'unknown_session',
      'session_closed',
      'already_recording',
      'bad_format',
      'no_ffmpeg',
      'no_encoder',
      'recordings_full',
      'disk_full',
      'recordings_unwritable',
      'recording_failed',
      ...UNWANTED_BODY,
    ],
  }),
  ofRecording('delete', 'stopRecording', 'Ends the recording of a session', {
    errors: ['unknown_session', 'not_recording', ...UNWANTED_BODY],
  }),
  get('/api/sessions/{session}/snapshot.png', 'snapshot', 'The picture that a session shows now', {
    group: 'recordings',
    replies: { 200: { text: 'The picture.', schema: 'binary', types: ['image/png'], headers: ['Cache-Control'] } },
    errors: ['unknown_session', 'no_picture'],
  }),
  get('/api/recordings', 'listRecordings', 'All finished recordings', {
    group: 'recordings',
    replies: json('The recordings.', z.array(recordingSchema)),
  }),
  get('/api/recordings/{file}', 'downloadRecording', 'A finished recording; takes `Range`', {
    group: 'recordings',
    replies: {
      200: { ...recordingFile, text: 'The whole file.' },
      206: { ...recordingFile, text: 'The part that `Range` asks for.' },
      304: { text: 'It has not changed since the caller got it.' },
    },
    errors: ['unknown_recording', 'bad_range', 'precondition_failed'],
  }),
  {
    method: 'delete',
    path: '/api/recordings/{file}',
    id: 'deleteRecording',
    group: 'recordings',
    summary: 'Deletes a finished recording',
    replies: deleted,
    errors: ['unknown_recording', ...UNWANTED_BODY],
  },
];

const count = z.int().min(0);
const ready = z.object({
  ready: z.boolean(),
  draining: z.boolean(),
  sessions: z.object({ open: count, most: count, more: count }).describe('More: how many the machine can swap now.'),
});

const machineOperations: readonly Operation[] = [
  get('/api/sessions', 'listSessions', 'All live sessions, with their figures and settings', {
    replies: json('The sessions.', z.array(sessionSchema)),
  }),
  get('/api/status', 'status', 'The server', { replies: json('The server.', statusSchema) }),
  get('/api/config', 'config', 'The settings in force, and where each value comes from', {
    replies: json('The configuration.', configSchema),
  }),
  get('/api/status/memory', 'memory', 'The machine’s last minutes', {
    query: ['since'],
    replies: json('The samples.', historySchema),
  }),
  get('/api/status/memory.csv', 'memoryCsv', 'The same as CSV (RFC 4180)', {
    replies: { 200: { text: 'The file.', schema: 'text', types: ['text/csv'], headers: ['Content-Disposition'] } },
  }),
  get('/api/preflight', 'preflight', 'How many more cameras this machine can swap now', {
    replies: json('The estimate.', preflightSchema),
  }),
  get('/api/models', 'listModels', 'All models of the catalogue', {
    replies: json('The models.', z.array(modelSchema)),
  }),
  get('/api/cache', 'listCache', 'What the cache folder holds', { replies: json('Limits and kinds.', cacheSchema) }),
  {
    method: 'delete',
    path: '/api/cache/{kind}',
    id: 'clearCache',
    group: 'machine',
    summary: 'Deletes the items of a kind that are not in use',
    replies: json('Number and size of what was deleted, and number of items in use.', clearedSchema),
    errors: ['unknown_kind', 'not_ours', ...UNWANTED_BODY],
  },
  get('/healthz', 'live', 'Whether the process answers', {
    isPublic: true,
    replies: json('It does.', z.object({ ok: z.literal(true) })),
  }),
  get('/readyz', 'ready', 'Whether the server takes sessions', {
    isPublic: true,
    replies: { ...json('It does.', ready), 503: { text: 'It is draining or stopping.', schema: ready } },
  }),
  get('/metrics', 'metrics', 'All figures, for Prometheus', {
    isMetrics: true,
    replies: { 200: { text: 'The figures.', schema: 'text', types: ['text/plain'] } },
  }),
  get('/api/profile', 'profile', 'A CPU profile of a thread, for DevTools; without a token to this machine alone', {
    query: ['seconds', 'thread'],
    replies: json('The profile, as `.cpuprofile`.', profileSchema, ['Content-Disposition', 'Cache-Control']),
    errors: ['bad_query', 'local_only', 'unknown_thread', 'profile_running', 'lane_lost', 'lane_ended'],
  }),
  get('/api/openapi.json', 'document', 'This document', {
    replies: json('An OpenAPI document.', z.looseObject({ openapi: z.string(), paths: z.looseObject({}) })),
  }),
];

const pageOperations: readonly Operation[] = [
  get('/', 'studio', 'The studio', { group: 'pages', replies: page }),
  get('/view/{stream}', 'view', 'The picture of a stream alone, for OBS', {
    group: 'pages',
    query: ['sound'],
    replies: page,
    errors: ['unknown_stream'],
  }),
  get('/remote/{stream}', 'remote', 'A remote control of a stream, for a phone', {
    group: 'pages',
    replies: page,
    errors: ['unknown_stream'],
  }),
  ...(['studio', 'call'] as const).map((what) =>
    get(
      what === 'studio' ? '/enter' : '/enter/call',
      `enter${what === 'studio' ? 'Studio' : 'Call'}`,
      'For load balancers',
      {
        group: 'pages',
        isPublic: true,
        replies: { 302: { text: `To the ${what} under \`server.basePath\`: there is room.`, headers: ['Location'] } },
        errors: ['server_full', 'server_stopping', 'ports_taken'],
      },
    ),
  ),
  get('/call', 'newCall', 'A new call', {
    group: 'pages',
    replies: { 302: { text: 'To the page of the call.', headers: ['Location'] } },
  }),
  get('/call/{room}', 'call', 'A call', { group: 'pages', replies: page, errors: ['unknown_stream'] }),
  get('/detect', 'detect', 'Looks for the invisible mark in a file, in the browser', { group: 'pages', replies: page }),
  get('/api/docs', 'docs', 'This document, to read', { group: 'pages', replies: page }),
  get('/ws', 'socket', 'The pages’ WebSocket; messages.ts has its messages', {
    group: 'pages',
    replies: { 101: { text: 'The WebSocket is open.' } },
    errors: ['upgrade_required'],
  }),
];

/** The table. */
export const OPERATIONS: readonly Operation[] = [
  ...controlOf('stream', ['unknown_stream', 'livekit_refused', 'livekit_unreachable']),
  ...controlOf('session', ['unknown_session']),
  trialOperation,
  ...faceOperations,
  ...blockedFaceOperations,
  ...backgroundOperations,
  ...presetOperations,
  ...recordingOperations,
  ...negotiated('Publish', '/whip', 'session', {
    query: ['face', 'stream', 'again'],
    errors: [...OFFER, ...CHANGE, 'bad_name', 'stream_taken', 'server_stopping'],
  }),
  ...negotiated('Watch', '/whep/{stream}', 'viewer', {
    errors: [...OFFER, 'unknown_stream', 'no_publisher', 'viewers_full'],
  }),
  ...clusterOperations,
  ...machineOperations,
  {
    method: 'post',
    path: '/api/login',
    id: 'logIn',
    group: 'access',
    summary: 'Exchanges the token for the cookie, for pages',
    body: { json: z.object({ token: z.string(), framed: z.boolean().optional() }) },
    replies: { 204: { text: 'The cookie is set.', headers: ['Set-Cookie'] } },
    errors: ['wrong_token', 'too_many_attempts', 'bad_json', 'wrong_type', 'body_too_large'],
    isPublic: true,
  },
  ...pageOperations,
];
