/** A JSON Schema of the OpenAPI document, as far as the page shows it. */
export interface ShownSchema {
  $ref?: string;
  type?: string | string[];
  enum?: readonly unknown[];
  const?: unknown;
  format?: string;
  pattern?: string;
  description?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  anyOf?: ShownSchema[];
  items?: ShownSchema;
  properties?: Record<string, ShownSchema>;
  additionalProperties?: ShownSchema | boolean;
  required?: string[];
}

/** A schema as people read types: `{ id: string, photos?: number }`, with limits and meanings as comments. */
export function schemaText(schema: ShownSchema, indent = ''): string {
  const { $ref, enum: options, const: one, anyOf, items, properties, additionalProperties, type } = schema;
  if ($ref !== undefined) return $ref.split('/').at(-1)!;
  if (options !== undefined) return options.map((option) => JSON.stringify(option)).join(' | ');
  if (one !== undefined) return JSON.stringify(one);
  if (anyOf !== undefined) return anyOf.map((option) => schemaText(option, indent)).join(' | ');
  if (items !== undefined) {
    const item = schemaText(items, indent);
    return item.includes(' | ') ? `(${item})[]` : `${item}[]`;
  }
  if (properties !== undefined) return objectText(properties, schema.required ?? [], indent);
  if (typeof additionalProperties === 'object')
    return `{ [name: string]: ${schemaText(additionalProperties, indent)} }`;
  return type === undefined ? 'any' : [type].flat().join(' | ');
}

function objectText(properties: Record<string, ShownSchema>, required: readonly string[], indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([name, schema]) => {
    const note = [limitsOf(schema), schema.description].filter((part) => part !== undefined && part !== '').join(' ');
    const key = /^[a-z_]\w*$/i.test(name) ? name : JSON.stringify(name);
    const mark = required.includes(name) ? '' : '?';
    return `${inner}${key}${mark}: ${schemaText(schema, inner)}${note === '' ? '' : `  // ${note}`}`;
  });
  return `{\n${lines.join('\n')}\n${indent}}`;
}

/** What a value is limited to; empty where the limit is that of the type. */
function limitsOf({ minimum, maximum, minLength, maxLength, format, anyOf }: ShownSchema): string {
  const nested = anyOf?.map(limitsOf).find((text) => text !== '');
  if (nested !== undefined) return nested;
  if (maxLength !== undefined) return `${minLength ?? 0} to ${maxLength} characters.`;
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) return `${minimum ?? 0} to ${maximum}.`;
  return format === 'date-time' ? 'ISO 8601.' : '';
}
