/** Holds replies against the server's OpenAPI document, with no field more than it says. */

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

interface Reply {
  $ref?: string;
  headers?: Record<string, { required: boolean }>;
  content?: Record<string, { schema?: object }>;
}

/** An OpenAPI document, as far as it is checked here. */
export interface ApiDocument {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, Reply> }>>;
  components: { responses: Record<string, Reply>; schemas: Record<string, object> };
}

/** Objects without fields that the document does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isClosed = 'properties' in inner && inner.type === 'object' && !('additionalProperties' in inner);
  return isClosed ? { ...inner, additionalProperties: false } : inner;
}

export class Conformity {
  readonly #url: string;
  readonly #document: ApiDocument;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #checks = new Map<object, ValidateFunction>();
  readonly #token: string | null;
  /** Operations with the statuses that came, as `operationId 200`. */
  readonly seen = new Set<string>();

  private constructor(url: string, document: ApiDocument, token: string | null) {
    this.#url = url;
    this.#document = document;
    this.#token = token;
    formats.default(this.#ajv);
    this.#ajv.addSchema({ $id: 'document', components: closed(document.components) });
  }

  static async of(url: string, token: string | null = null): Promise<Conformity> {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}/api/openapi.json`, { headers });
    return new Conformity(url, (await answer.json()) as ApiDocument, token);
  }

  /** Every operation with each of its replies that is no refusal, as `seen` has them. */
  get successes(): string[] {
    return Object.values(this.#document.paths)
      .flatMap((methods) => Object.values(methods))
      .flatMap(({ operationId, responses }) =>
        Object.keys(responses)
          .filter((status) => Number(status) < 400)
          .map((status) => `${operationId} ${status}`),
      );
  }

  /** Makes a request and holds its reply against the document. @param path that of the document, `{name}` filled in from `at`. */
  async ask(method: string, path: string, at: Record<string, string> = {}, request: RequestInit = {}) {
    const address = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(at[name]!));
    const headers = new Headers(request.headers);
    if (this.#token !== null && !headers.has('authorization')) headers.set('authorization', `Bearer ${this.#token}`);
    const answer = await fetch(this.#url + address, { redirect: 'manual', ...request, headers, method });
    const bytes = Buffer.from(await answer.arrayBuffer());
    this.#check(method, path.split('?')[0]!, answer, bytes);
    return { status: answer.status, headers: answer.headers, bytes, text: bytes.toString() };
  }

  #check(method: string, path: string, { status, headers }: Response, body: Buffer): void {
    const what = `${method} ${path}: ${status}`;
    const operation = this.#document.paths[path]?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`${what}: the operation is not in the document`);
    const named = operation.responses[status];
    if (named === undefined) throw new Error(`${what} is not in the document: ${body}`);
    const reply =
      named.$ref === undefined ? named : this.#document.components.responses[named.$ref.split('/').at(-1)!]!;
    for (const [name, { required }] of Object.entries(reply.headers ?? {}))
      if (required && !headers.has(name)) throw new Error(`${what} lacks the header ${name}`);
    this.seen.add(`${operation.operationId} ${status}`);
    const type = headers.get('content-type')?.split(';')[0];
    if (reply.content === undefined) {
      if (body.length > 0) throw new Error(`${what} has a body of which the document does not tell`);
      return;
    }
    const media = reply.content[type ?? ''];
    if (media === undefined) throw new Error(`${what} has the type ${type}`);
    if (type === 'application/json') this.#checkJson(what, media.schema!, JSON.parse(body.toString()));
  }

  #checkJson(what: string, schema: object, value: unknown): void {
    const known = this.#checks.get(schema);
    // References of the document are to its own parts, which have an address here.
    const text = JSON.stringify(closed(schema)).replaceAll('"#/', '"document#/');
    const check = known ?? this.#ajv.compile(JSON.parse(text));
    this.#checks.set(schema, check);
    if (!check(value)) throw new Error(`${what}: ${this.#ajv.errorsText(check.errors)} in ${JSON.stringify(value)}`);
  }
}
