/** What the OpenAPI document says of one operation, as the table of operations writes it. */

import type { z } from 'zod';
import type { ErrorCode } from '../../shared/error-catalogue.ts';

/** Groups of operations, in the order of the document. */
export const GROUPS = {
  live: 'Settings of a session, changed while it is live',
  faces: 'Source faces',
  backgrounds: 'Pictures for backgrounds',
  presets: 'Settings under a name',
  recordings: 'Recordings and still pictures',
  webrtc: 'WHIP (RFC 9725), to publish, and WHEP (draft-ietf-wish-whep), to watch',
  cluster: 'A cluster by LiveKit',
  machine: 'State of the server and of the machine',
  access: 'The login',
  pages: 'Pages for browsers',
} as const;

/** The name of a group. */
export type Group = keyof typeof GROUPS;

/** Parameters in paths and queries: what each means, and the most characters that it has in a path. */
export const PARAMETERS = {
  session: { text: 'Id of a session: `GET /api/sessions` lists them.', most: 100 },
  stream: { text: 'Name of a stream: 1 to 64 letters, digits, `-` and `_`.', most: 64 },
  publisher: { text: 'Identity of a publisher of a cluster, as its tokens have it.', most: 64 },
  preset: { text: 'Name of a preset: 1 to 40 characters, no slash.', most: 40 },
  face: { text: 'Id of a face: `GET /api/faces` lists them.', most: 64 },
  photo: { text: 'Number of a photo of the face, from 0.', most: 3 },
  blocked: { text: 'Id of a blocked face: `GET /api/blocked-faces` lists them.', most: 64 },
  background: { text: 'Id of a background: `GET /api/backgrounds` lists them.', most: 64 },
  kind: { text: 'Kind of cache entry: `GET /api/cache` lists them.', most: 64 },
  file: { text: 'Name of a finished recording: `GET /api/recordings` lists them.', most: 100 },
  room: { text: 'Name of a call: 1 to 64 letters, digits, `-` and `_`.', most: 64 },
  viewer: { text: 'Id of a viewer, the end of its `Location`.', most: 100 },
  format: { text: 'Container of the recording; `recording.format` of config.yaml without it.' },
  since: { text: 'Only samples after this time: `atMs` of the last known sample.' },
  again: { text: 'Id of the publisher’s session before this one: its name is taken over.' },
  sound: { text: 'With the publisher’s sound.' },
  seconds: { text: 'How long the profile is recorded: a whole number from 1 to 60; 10 without it.' },
  thread: { text: '`main`, or the number of a lane: `lane-0`; `main` without it.' },
} as const satisfies Record<string, { text: string; most?: number }>;

/** The name of a parameter. */
export type ParameterName = keyof typeof PARAMETERS;

/** Headers of replies, and what each holds. */
export const HEADERS = {
  Location: 'Address of what was made; it may be relative to that of the request.',
  ETag: 'The ICE session; a PATCH names it in `If-Match`.',
  'Accept-Patch': 'Content type that a PATCH takes.',
  'Accept-Post': 'Content type that a POST takes.',
  Allow: 'Methods that the address takes.',
  Link: 'STUN and TURN servers, `rel="ice-server"`; absent if there are none.',
  'AI-Disclosure': 'Whether the pictures are modified: `mode=ai-modified` or `mode=none`.',
  'Retry-After': 'Seconds after which another attempt may succeed.',
  'WWW-Authenticate': 'How the token is sent.',
  'Content-Disposition': 'Name of the file.',
  'Cache-Control': 'How long the reply may be kept.',
  'Set-Cookie': 'The cookie `faceoff`.',
} as const;

/** The name of a reply's header. */
export type HeaderName = keyof typeof HEADERS;

/** A reply that is no refusal. */
export interface OperationReply {
  text: string;
  /** The body; none if absent. `binary` is one that is no JSON and no text. */
  schema?: z.ZodType | 'text' | 'binary';
  /** Content types; JSON where absent. */
  types?: readonly string[];
  headers?: readonly HeaderName[];
  /** Headers that are not in every such reply. */
  sometimes?: readonly HeaderName[];
}

/** Fields of a form that is uploaded. */
export type FormFields = Record<string, { text: string; isFile?: true; isRequired?: true; value?: string }>;

/** What a request sends. */
export type OperationBody = { json: z.ZodType } | { text: string; example: string } | { form: FormFields };

/** HTTP methods in use. */
export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete' | 'options';

/** One method of one path. */
export interface Operation {
  method: Method;
  /** With the names of parameters in braces. */
  path: string;
  id: string;
  group: Group;
  summary: string;
  query?: readonly ParameterName[];
  /** Whether the request names an ICE session in `If-Match`. */
  ifMatch?: true;
  body?: OperationBody;
  replies: Record<number, OperationReply>;
  /** Codes of its refusals, besides those that every operation has. */
  errors: readonly ErrorCode[];
  /** Whether it needs no token. */
  isPublic?: true;
  /** Whether only servers with `metrics.enabled`, and without `metrics.port`, have it. */
  isMetrics?: true;
}

/** Refusals of every operation. */
export const EVERYWHERE: readonly ErrorCode[] = [
  'bad_request',
  'foreign_origin',
  'foreign_host',
  'request_timeout',
  'bad_expectation',
  'headers_too_large',
  'internal',
];

/** Refusals of a body where none is wanted, by operations that read it as JSON all the same. */
export const UNWANTED_BODY: readonly ErrorCode[] = ['bad_json', 'wrong_type', 'body_too_large'];

/** Refusals of every operation that needs the token. */
export const TOKEN_ERRORS: readonly ErrorCode[] = ['no_token', 'wrong_token', 'too_many_attempts'];

/** Codes whose refusals may say in `Retry-After` when to come again. */
export const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  'too_many_attempts',
  'server_full',
  'server_stopping',
  'ports_taken',
  'stream_taken',
  'no_publisher',
  'viewers_full',
  'no_picture',
]);

/** A reply of JSON. */
export const jsonReply = (
  text: string,
  schema: z.ZodType,
  headers: readonly HeaderName[] = [],
): Record<number, OperationReply> => ({ 200: { text, schema, headers } });

/** Errors of a body that holds settings. */
export const SETTINGS_ERRORS: readonly ErrorCode[] = ['bad_json', 'bad_settings', 'disclosure_not_acknowledged'];

/** Errors of a form with a picture in which a face is found. */
export const PICTURE_FORM_ERRORS: readonly ErrorCode[] = [
  'wrong_type',
  'bad_form',
  'bad_field',
  'body_too_large',
  'no_file',
  'picture_too_large',
  'picture_too_slow',
  'bad_picture',
  'no_face',
  'several_faces',
  'no_such_face',
  'face_turned',
  'face_too_small',
  'closing',
  'lane_lost',
  'lane_ended',
];

/** The reply to a deletion. */
export const deletedReply: Record<number, OperationReply> = { 204: { text: 'It is deleted.' } };

/** An operation that reads; of the group `machine` where no other is given. */
export const getOperation = (
  path: string,
  id: string,
  summary: string,
  rest: Omit<Partial<Operation>, 'id'>,
): Operation => ({
  method: 'get',
  path,
  id,
  group: 'machine',
  summary,
  replies: {},
  errors: [],
  ...rest,
});
