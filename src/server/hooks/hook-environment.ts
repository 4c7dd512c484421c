import type { ServerEvent } from './event-schemas.ts';

/** Name of the variable for a field: `lastedMs` → `FACEOFF_LASTED_MS`. */
export const variableOfField = (field: string): string =>
  `FACEOFF_${field.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()}`;

/**
 * The environment of a command: that of the server, without FaceOff's own settings, which may hold secrets, and with the event:
 * `FACEOFF_EVENT`, `FACEOFF_TIME` and a variable for each field. A field that is null is an empty text.
 */
export function environmentFor(
  { type, timestamp, data }: ServerEvent,
  inherited: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const kept = Object.entries(inherited).filter(([name]) => !name.toUpperCase().startsWith('FACEOFF_'));
  const fields = Object.entries(data).map(([field, value]) => [variableOfField(field), textOf(value)]);
  return { ...Object.fromEntries(kept), FACEOFF_EVENT: type, FACEOFF_TIME: timestamp, ...Object.fromEntries(fields) };
}

/** A variable cannot hold a NUL, and a name that a person typed may. */
const textOf = (value: string | number | null): string => String(value ?? '').replaceAll('\0', '');
