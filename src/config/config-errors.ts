/** What is wrong with a configuration, in sentences that name the setting, its place and what is allowed. */

import type { z } from 'zod';
import { FaceOffError } from '../shared/errors.ts';
import { meantName } from './nearest-name.ts';
import { isSecretSetting } from './secret-settings.ts';

/** One thing that is wrong. */
export interface ConfigFault {
  /** Where the setting is in the tree. */
  path: readonly PropertyKey[];
  /** The setting's name, and what is wrong with it. */
  text: string;
}

/** The error for lines that each name one thing wrong: `bad_config`. */
export function configError(lines: readonly string[]): FaceOffError {
  return new FaceOffError(
    'bad_config',
    `The configuration cannot be used:\n${lines.map((line) => `  ${line}`).join('\n')}`,
    { details: { faults: lines } },
  );
}

type Names = Readonly<Record<string, object>>;

/**
 * What a check by the schema found.
 * @param tree what was checked.
 * @param known sections with their settings.
 */
export function faultsOf(issue: z.core.$ZodIssue, tree: unknown, known: Names): ConfigFault[] {
  const at = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const group = at === '' ? known : (known[at] ?? {});
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      text: unknownKey(key, at, Object.keys(group), known),
    }));
  }
  const value = issue.path.reduce<unknown>(
    (node, key) =>
      typeof node === 'object' && node !== null ? (node as Record<PropertyKey, unknown>)[key] : undefined,
    tree,
  );
  const shown = isSecretSetting(at) ? 'not shown' : `it is ${shownValue(value)}`;
  return [{ path: issue.path, text: `${at}: ${allowedBy(issue)} (${shown})` }];
}

/** What each type of a value is called. */
const TYPES: Readonly<Record<string, string>> = {
  array: 'a list, as [a, b]',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a mapping of settings, as key: value',
  string: 'a text',
};

/** A schema's own sentence stays. */
const allowedBy = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_type' && issue.expected in TYPES && issue.message.startsWith('Invalid input')
    ? `must be ${TYPES[issue.expected]}`
    : issue.message;

/** A setting that there is not. Its name may be right, and its section another one. */
function unknownKey(key: string, section: string, here: readonly string[], known: Names): string {
  const name = section === '' ? key : `${section}.${key}`;
  const home = Object.keys(known).find((other) => other !== section && Object.keys(known[other]!).includes(key));
  const meant = meantName(key, here) || (home === undefined ? '.' : `; did you mean ${home}.${key}?`);
  const allowed = here.length === 0 ? '' : ` Allowed here: ${here.join(', ')}`;
  return `${name}: there is no such setting${meant}${allowed}`;
}

/** A value as JSON; of a list or a mapping, which may hold secrets and be endless by references, what it is. */
const shownValue = (value: unknown): string =>
  Array.isArray(value)
    ? 'a list'
    : typeof value === 'object' && value !== null
      ? `a mapping of ${Object.keys(value).slice(0, 8).join(', ').slice(0, 200) || 'nothing'}`
      : JSON.stringify(value);
