/** docs/hooks.md against the code: events, fields, variables, and the receiver that it shows. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { HOOK_EVENTS, HOOK_VARIABLES } from '../../../../src/config/hook-settings.ts';
import { root } from '../../../../src/lib/package-root.ts';
import { EVENT_DATA } from '../../../../src/server/hooks/event-schemas.ts';
import { environmentFor, variableOfField } from '../../../../src/server/hooks/hook-environment.ts';

const text = readFileSync(path.join(root, 'docs/hooks.md'), 'utf8');

interface Property {
  type?: string | string[];
  enum?: string[];
  description?: string;
  anyOf?: Property[];
}

/** Values of a field, in words. */
function valuesOf({ type, enum: values, anyOf }: Property): string {
  if (anyOf !== undefined) return anyOf.map(valuesOf).join(' or ');
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ');
  const words: Record<string, string> = { string: 'text', integer: 'whole number', null: 'null' };
  return [type ?? []]
    .flat()
    .map((name) => words[name] ?? name)
    .join(' or ');
}

/** The rows of the table, as the schemas make them. */
const rows = HOOK_EVENTS.flatMap((event) => {
  const { properties = {} } = z.toJSONSchema(EVENT_DATA[event], { io: 'input' }) as {
    properties?: Record<string, Property>;
  };
  return Object.entries(properties).map(
    ([field, property]) => `| \`${event}\` | \`${field}\` | ${valuesOf(property)} | ${property.description} |`,
  );
});

test('docs/hooks.md lists every field of every event', () => {
  const listed = [...text.matchAll(/^\| `[a-z.]+` \| `\w+` \| .* \|$/gm)].map(([row]) => row);
  expect(listed).toEqual(rows);
});

test('docs/hooks.md says when each event comes', () => {
  const listed = [...text.matchAll(/^\| `([a-z.]+)` \| [^|`]+(?:`[^`|]+`[^|`]*)* \|$/gm)].map(([, event]) => event);
  expect(listed).toEqual([...HOOK_EVENTS]);
});

test('a command is given a variable for each field, all of which FaceOff does not take for settings', () => {
  const fields = HOOK_EVENTS.flatMap((event) => Object.keys(EVENT_DATA[event].shape));
  const names = ['FACEOFF_EVENT', 'FACEOFF_TIME', ...fields.map(variableOfField)];
  expect([...HOOK_VARIABLES].sort()).toEqual([...new Set(names)].sort());
});

test('a command gets the event, and none of the server’s own variables', () => {
  const data = { face: 'id', name: 'A\0da; rm -rf /' };
  const event = { type: 'face.added', timestamp: '2026-11-29T14:30:05.120Z', data } as const;
  expect(environmentFor(event, { PATH: '/bin', FACEOFF_SERVER_TOKEN: 'hush', faceoff_hooks_secret: 'hush' })).toEqual({
    PATH: '/bin',
    FACEOFF_EVENT: 'face.added',
    FACEOFF_TIME: '2026-11-29T14:30:05.120Z',
    FACEOFF_FACE: 'id',
    FACEOFF_NAME: 'Ada; rm -rf /',
  });
});

test('a field that is null is an empty text', () => {
  const data = { part: 'lane', code: 'lane_lost', cause: 'why', stream: null, session: null } as const;
  const env = environmentFor({ type: 'fault', timestamp: 'now', data }, {});
  expect([env.FACEOFF_SESSION, env.FACEOFF_CODE]).toEqual(['', 'lane_lost']);
});
