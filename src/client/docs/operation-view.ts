/** The elements that show one operation of the OpenAPI document. */

import { createElement } from '../lib/dom.ts';
import { type ShownSchema, schemaText } from './schema-text.ts';

type Content = Record<string, { schema?: ShownSchema; example?: string }>;

/** A reply, or in `$ref` the name of a shared one. */
export interface ShownReply {
  $ref?: string;
  description: string;
  headers?: Record<string, { description: string }>;
  content?: Content;
}

/** One operation of the document, as far as the page shows it. */
export interface ShownOperation {
  operationId: string;
  tags: string[];
  summary: string;
  parameters?: { name: string; in: string; required: boolean; description: string }[];
  requestBody?: { content: Content };
  /** By status. */
  responses: Record<string, ShownReply>;
  security?: unknown[];
}

const code = (text: string): HTMLElement => createElement('code', { textContent: text });
const block = (text: string): HTMLElement => createElement('pre', { textContent: text });
const heading = (text: string): HTMLElement => createElement('h3', { textContent: text });

/** Text with `code` in backquotes and empty lines between paragraphs, as elements. */
export function paragraphs(text: string): HTMLElement[] {
  return text
    .split('\n\n')
    .map((part) =>
      createElement('p', {}, {}, ...part.split('`').map((piece, at) => (at % 2 === 1 ? code(piece) : piece))),
    );
}

function contentOf(content: Content): HTMLElement[] {
  return Object.entries(content).flatMap(([type, { schema, example }]) => [
    createElement('p', {}, {}, code(type)),
    ...(schema === undefined ? [] : [block(example ?? schemaText(schema))]),
  ]);
}

/** A command line that makes the request. */
function curlOf(method: string, path: string, { requestBody, parameters = [] }: ShownOperation): string {
  const address = new URL(
    path.slice(1).replaceAll(/\{(\w+)\}/g, (_all, name: string) => name.toUpperCase()),
    document.baseURI,
  );
  const parts = [`curl -X ${method.toUpperCase()} '${address.href}'`, `-H "Authorization: Bearer $TOKEN"`];
  if (parameters.some(({ name }) => name === 'If-Match')) parts.push(`-H 'If-Match: *'`);
  const [type] = Object.keys(requestBody?.content ?? {});
  if (type === 'application/json') parts.push(`-d '{…}'`);
  else if (type === 'multipart/form-data') parts.push('-F file=@face.jpg -F name=Name -F consent=true');
  else if (type !== undefined) parts.push(`-H 'Content-Type: ${type}' --data-binary @FILE`);
  return parts.join(' \\\n  ');
}

/** An operation, folded: method, path, summary; unfolded what it takes and answers. */
export function operationView(method: string, path: string, operation: ShownOperation): HTMLDetailsElement {
  const { summary, parameters = [], requestBody, responses } = operation;
  const given = parameters.flatMap(({ name, in: place, required, description }) => [
    createElement('dt', {}, {}, code(name), ` ${place}${required ? '' : ', optional'}`),
    createElement('dd', {}, {}, ...paragraphs(description)),
  ]);
  const answers = Object.entries(responses).flatMap(([status, { description, headers = {}, content = {} }]) => [
    createElement('dt', {}, {}, code(status)),
    createElement(
      'dd',
      {},
      {},
      ...paragraphs(description),
      ...Object.entries(headers).map(([name, header]) =>
        createElement(
          'p',
          {},
          {},
          code(name),
          ' ',
          ...paragraphs(header.description).flatMap((one) => [...one.childNodes]),
        ),
      ),
      ...(Number(status) < 400 ? contentOf(content) : []),
    ),
  ]);
  return createElement(
    'details',
    { id: operation.operationId },
    {},
    createElement(
      'summary',
      {},
      {},
      createElement('span', { className: 'method', textContent: method.toUpperCase() }),
      code(path),
      createElement('span', {}, {}, ...paragraphs(summary).flatMap((one) => [...one.childNodes])),
    ),
    createElement(
      'div',
      { className: 'body' },
      {},
      ...(given.length > 0 ? [heading('Parameters'), createElement('dl', {}, {}, ...given)] : []),
      ...(requestBody === undefined ? [] : [heading('Body'), ...contentOf(requestBody.content)]),
      heading('Request'),
      block(curlOf(method, path, operation)),
      heading('Answers'),
      createElement('dl', {}, {}, ...answers),
    ),
  );
}
