/** The page that shows the OpenAPI document of this server. */

import { createElement, element } from '../lib/dom.ts';
import { serverUrl } from '../lib/server-url.ts';
import { operationView, paragraphs, type ShownOperation, type ShownReply } from './operation-view.ts';
import { type ShownSchema, schemaText } from './schema-text.ts';

interface ShownDocument {
  info: { version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, ShownOperation>>;
  components: { schemas: Record<string, ShownSchema>; responses: Record<string, ShownReply> };
}

const main = element('operations', HTMLElement);
const groups = element('groups', HTMLElement);
const filter = element('filter', HTMLInputElement);

/** The page has a base address, with which `#part` alone would leave it. */
const linkTo = (id: string, text: string): HTMLElement =>
  createElement('a', { href: new URL(`#${id}`, location.href).href, textContent: text });

function section(id: string, title: string, text: string, parts: readonly HTMLElement[]): HTMLElement {
  groups.append(linkTo(id, title));
  const heading = createElement('h2', { textContent: title });
  const description = createElement('p', { className: 'description', textContent: text });
  return createElement('section', { id }, {}, heading, description, ...parts);
}

/** An operation with the shared replies in place of their names. */
function withReplies(operation: ShownOperation, shared: Record<string, ShownReply>): ShownOperation {
  const replies = Object.entries(operation.responses).map(([status, reply]) => {
    const name = reply.$ref?.split('/').at(-1);
    return [status, name === undefined ? reply : shared[name]!] as const;
  });
  return { ...operation, responses: Object.fromEntries(replies) };
}

function show({ info, tags, paths, components }: ShownDocument): void {
  element('version', HTMLElement).textContent = info.version;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      tag: operation.tags[0],
      view: operationView(method, path, withReplies(operation, components.responses)),
    })),
  );
  const schemas = Object.entries(components.schemas).map(([name, schema]) =>
    createElement(
      'details',
      { id: `schema-${name}` },
      {},
      createElement('summary', {}, {}, createElement('code', { textContent: name })),
      createElement('div', { className: 'body' }, {}, createElement('pre', { textContent: schemaText(schema) })),
    ),
  );
  main.replaceChildren(
    createElement('div', { className: 'description' }, {}, ...paragraphs(info.description)),
    ...tags.map(({ name, description }) =>
      section(
        `group-${name}`,
        name,
        description,
        operations.filter(({ tag }) => tag === name).map(({ view }) => view),
      ),
    ),
    section('schemas', 'schemas', 'The objects, by the names that bodies and answers call them.', schemas),
  );
  openTarget();
}

/** Unfolds and shows what the address names. */
function openTarget(): void {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}

/** Hides what has none of the words. */
function applyFilter(): void {
  const words = filter.value.toLowerCase().split(/\s+/);
  for (const one of main.querySelectorAll('details')) {
    const text = (one.textContent ?? '').toLowerCase();
    one.hidden = !words.every((word) => text.includes(word));
  }
  for (const one of main.querySelectorAll('section')) one.hidden = !one.querySelector('details:not([hidden])');
}

async function load(): Promise<void> {
  const answer = await fetch(serverUrl('/api/openapi.json')).catch(() => null);
  if (answer?.ok) show((await answer.json()) as ShownDocument);
  else element('message', HTMLElement).textContent = 'The server does not answer. Load the page again.';
}

filter.addEventListener('input', applyFilter);
window.addEventListener('hashchange', openTarget);
void load();
