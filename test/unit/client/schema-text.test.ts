import { expect, test } from 'vitest';
import { type ShownSchema, schemaText } from '../../../src/client/docs/schema-text.ts';

test.each<[string, ShownSchema, string]>([
  ['a reference as its name', { $ref: '#/components/schemas/Face' }, 'Face'],
  ['options', { enum: ['a', 'b'] }, '"a" | "b"'],
  ['a list of options in brackets', { items: { enum: ['a', 'b'] } }, '("a" | "b")[]'],
  ['what may be null', { anyOf: [{ type: 'string' }, { type: 'null' }] }, 'string | null'],
  ['names that are free', { additionalProperties: { type: 'number' } }, '{ [name: string]: number }'],
  ['anything', {}, 'any'],
  [
    'fields, with limits, meanings and what is optional',
    {
      properties: {
        share: { type: 'number', minimum: 0, maximum: 1, description: 'How much.' },
        name: { anyOf: [{ type: 'string', minLength: 1, maxLength: 64 }, { type: 'null' }] },
        'a-b': { properties: { count: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } } },
      },
      required: ['share'],
    },
    [
      '{',
      '  share: number  // 0 to 1. How much.',
      '  name?: string | null  // 1 to 64 characters.',
      '  "a-b"?: {',
      '    count?: integer',
      '  }',
      '}',
    ].join('\n'),
  ],
])('a schema is shown as people read types: %s', (_name, schema, text) => {
  expect(schemaText(schema)).toBe(text);
});
