/** Makes the OpenAPI 3.1 document from the table of operations. */

import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../shared/error-catalogue.ts';
import {
  EVERYWHERE,
  GROUPS,
  HEADERS,
  type HeaderName,
  type Operation,
  type OperationBody,
  type OperationReply,
  PARAMETERS,
  type ParameterName,
  RETRYABLE,
  TOKEN_ERRORS,
} from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { namedSchemas } from './reply-schemas.ts';

type Json = Record<string, unknown>;

/** What of the server the document depends on. */
export interface DocumentedServer {
  version: string;
  /** Whether callers need the token. */
  locked: boolean;
  /** Whether `/metrics` is served here, and not on a port of its own. */
  metrics: boolean;
}

const DESCRIPTION = `Real-time face swap over WebRTC.

Every refusal has a \`code\` for programs and a \`message\` for people. A path answers HEAD where it answers GET, and another
method with 405 \`wrong_method\` and \`Allow\`; an unknown path is 404 \`not_found\`.`;

const REF = '#/components/schemas/';

/** JSON Schema of a zod schema, named ones by reference. Replies may get further fields, so objects are open. */
function jsonSchemaOf(schema: z.ZodType): Json {
  const id = namedSchemas.get(schema)?.id;
  if (id !== undefined) return { $ref: REF + id };
  if (schema instanceof z.ZodArray) return { type: 'array', items: jsonSchemaOf(schema.element as z.ZodType) };
  return withoutIds(z.toJSONSchema(schema, { io: 'input' }));
}

function componentsOf(): Json {
  const { schemas } = z.toJSONSchema(namedSchemas, { io: 'input', uri: (id) => REF + id });
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutIds(schema)]));
}

const withoutIds = ({ $schema: _, $id: __, ...schema }: Json): Json => schema;

const headersOf = (names: readonly HeaderName[], required: boolean): Json =>
  Object.fromEntries(names.map((name) => [name, { description: HEADERS[name], required, schema: { type: 'string' } }]));

function contentOf({ schema, types = ['application/json'] }: OperationReply): Json {
  if (schema === undefined) return {};
  const body = schema === 'binary' ? {} : { schema: schema === 'text' ? { type: 'string' } : jsonSchemaOf(schema) };
  return { content: Object.fromEntries(types.map((type) => [type, body])) };
}

function replyOf(reply: OperationReply): Json {
  const { text, headers = [], sometimes = [] } = reply;
  const all = { ...headersOf(headers, true), ...headersOf(sometimes, false) };
  return { description: text, ...(Object.keys(all).length > 0 && { headers: all }), ...contentOf(reply) };
}

/** The reply of one status to requests that are refused, with the codes that it may have. */
function refusal(status: number, codes: readonly ErrorCode[], isPage: boolean): Json {
  const description = codes.map((code) => `\`${code}\`: ${ERRORS[code].meaning}`).join('\n\n');
  // Many tools leave out what stands beside a reference.
  const schema: Json = { allOf: [{ $ref: `${REF}Error` }, { properties: { code: { enum: codes } } }] };
  if (codes.includes('several_faces'))
    schema.anyOf = [
      { properties: { code: { not: { const: 'several_faces' } } } },
      { required: ['details'], properties: { details: { $ref: `${REF}SeveralFaces` } } },
    ];
  const headers = {
    ...(codes.some((code) => RETRYABLE.has(code)) && headersOf(['Retry-After'], status === 429)),
    ...(status === 401 && headersOf(['WWW-Authenticate'], false)),
  };
  // A page that may not be shown is replaced by the login page.
  const html = isPage && (status === 401 || status === 429) && { 'text/html': { schema: { type: 'string' } } };
  return {
    description,
    ...(Object.keys(headers).length > 0 && { headers }),
    content: { 'application/json': { schema }, ...html },
  };
}

/** Codes of an operation's refusals, each once. */
function errorCodesOf({ errors, isPublic }: Operation): ErrorCode[] {
  return [...new Set([...errors, ...(isPublic === true ? [] : TOKEN_ERRORS), ...EVERYWHERE])];
}

function byStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const found = new Map<number, ErrorCode[]>();
  for (const code of codes) found.set(ERRORS[code].status, [...(found.get(ERRORS[code].status) ?? []), code]);
  return found;
}

/** The refusals that most operations share, by status. */
const SHARED = byStatus([...TOKEN_ERRORS, ...EVERYWHERE]);

/** The shared refusals by name: those of every operation, and those that have a page in their place. */
const sharedRefusals = (): Json =>
  Object.fromEntries(
    [...SHARED].flatMap(([status, codes]) => [
      [`Error${status}`, refusal(status, codes, false)],
      ...(status === 401 || status === 429 ? [[`Login${status}`, refusal(status, codes, true)]] : []),
    ]),
  );

function refusalOrShared(status: number, codes: readonly ErrorCode[], isPage: boolean): Json {
  if (String(SHARED.get(status)) !== String(codes)) return refusal(status, codes, isPage);
  const name = isPage && (status === 401 || status === 429) ? 'Login' : 'Error';
  return { $ref: `#/components/responses/${name}${status}` };
}

function responsesOf(operation: Operation): Json {
  const isPage = operation.method === 'get' && operation.isPublic !== true;
  return Object.fromEntries([
    ...[...byStatus(errorCodesOf(operation))].map(
      ([status, codes]) => [status, refusalOrShared(status, codes, isPage)] as const,
    ),
    ...Object.entries(operation.replies).map(([status, reply]) => [status, replyOf(reply)] as const),
  ]);
}

function parameter(name: ParameterName, place: 'path' | 'query', isLimited: boolean): Json {
  const { text, most } = { most: undefined, ...PARAMETERS[name] };
  const limits = { ...(place === 'path' && { minLength: 1 }), ...(isLimited && { maxLength: most }) };
  return { name, in: place, required: place === 'path', description: text, schema: { type: 'string', ...limits } };
}

function parametersOf({ method, path, query = [], ifMatch }: Operation): Json[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) =>
    // OPTIONS tells of an address, whether or not there is what it names.
    parameter(name as ParameterName, 'path', method !== 'options'),
  );
  const tag = {
    name: 'If-Match',
    in: 'header',
    required: true,
    description: 'The ETag last received, or `*`.',
    schema: { type: 'string' },
  };
  return [...inPath, ...query.map((name) => parameter(name, 'query', false)), ...(ifMatch === true ? [tag] : [])];
}

function bodyOf(body: OperationBody): Json {
  if ('json' in body) return { required: true, content: { 'application/json': { schema: jsonSchemaOf(body.json) } } };
  if ('text' in body)
    return { required: true, content: { [body.text]: { schema: { type: 'string' }, example: body.example } } };
  const fields = Object.entries(body.form);
  const properties = fields.map(([name, { text, isFile, value }]) => [
    name,
    {
      type: 'string',
      description: text,
      ...(isFile === true && { contentMediaType: 'application/octet-stream', format: 'binary' }),
      ...(value !== undefined && { enum: [value] }),
    },
  ]);
  const required = fields.filter(([, { isRequired }]) => isRequired).map(([name]) => name);
  const schema = { type: 'object', required, properties: Object.fromEntries(properties) };
  return { required: true, content: { 'multipart/form-data': { schema } } };
}

function operationOf(operation: Operation, locked: boolean): Json {
  const { id, group, summary, body, isPublic } = operation;
  const parameters = parametersOf(operation);
  return {
    operationId: id,
    tags: [group],
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: bodyOf(body) }),
    responses: responsesOf(operation),
    ...((isPublic === true || !locked) && { security: [] }),
  };
}

/** The document, as JSON, without `servers`, which depend on the way of a request. */
export function openApiDocument({ version, locked, metrics }: DocumentedServer): Json {
  const paths: Record<string, Json> = {};
  for (const operation of OPERATIONS) {
    if (operation.isMetrics === true && !metrics) continue;
    const { method, path } = operation;
    paths[path] = { ...paths[path], [method]: operationOf(operation, locked) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'FaceOff', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
    security: [{ bearer: [] }, { cookie: [] }],
    tags: Object.entries(GROUPS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'The token of the server, `server.token`.' },
        cookie: { type: 'apiKey', in: 'cookie', name: 'faceoff', description: 'Set by `POST /api/login`.' },
      },
      responses: sharedRefusals(),
      schemas: componentsOf(),
    },
  };
}
