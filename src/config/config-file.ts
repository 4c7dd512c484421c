/** config.yaml as a tree, with the line and column of each of its keys. */

import { existsSync, readFileSync } from 'node:fs';
import { constructFromEvents, EVENT_ID, type Event, getScalarValue, parseEvents, YAMLException } from 'js-yaml';
import { messageOf } from '../shared/errors.ts';
import { configError } from './config-errors.ts';

/** A mapping of YAML. */
export type ConfigTree = { [key: string]: unknown };

/** A place in the file, both from 1. */
export interface FilePosition {
  line: number;
  column: number;
}

/** What was read. */
export interface ConfigFile {
  /** Sections with settings, unchecked; empty where there is no file. */
  tree: ConfigTree;
  /** Whether there is a file. */
  exists: boolean;
  /** Where a key or an item of a list stands, or the innermost thing around it that has a place; null for none. */
  positionOf(path: readonly PropertyKey[]): FilePosition | null;
}

/** Whether a value is a mapping. */
export const isTree = (value: unknown): value is ConfigTree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads and parses the file.
 * @param isRequired whether it has to be there.
 * @throws FaceOffError `bad_config`.
 */
export function readConfigFile(file: string, isRequired: boolean): ConfigFile {
  if (!existsSync(file)) {
    if (isRequired) throw configError([`${file}: there is no such file`]);
    return { tree: {}, exists: false, positionOf: () => null };
  }
  const source = textOf(file);
  const { events, content } = parse(source, file);
  if (!isTree(content))
    throw configError([`${file} must hold sections with settings, like "server:" with "port: 8080" under it`]);
  // A section whose settings are all commented out is empty, not wrong.
  const tree = Object.fromEntries(Object.entries(content).map(([name, keys]) => [name, keys ?? {}]));
  const offsets = offsetsOf(events, source);
  return {
    tree,
    exists: true,
    positionOf(path) {
      const names = path.map(String);
      for (let depth = names.length; depth > 0; depth--) {
        const offset = offsets.get(joined(names.slice(0, depth)));
        if (offset !== undefined) return positionAt(source, offset);
      }
      return null;
    },
  };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw configError([`${file} cannot be read: ${messageOf(cause)}`]);
  }
}

/** @throws FaceOffError `bad_config`, which shows no line of the file: it may hold a token. */
function parse(source: string, file: string): { events: Event[]; content: unknown } {
  try {
    const events = parseEvents(source, { filename: file });
    const documents = constructFromEvents(events, { source, filename: file });
    if (documents.length > 1) throw new Error('it holds several documents, parted by ---');
    // A file of comments alone has no document.
    return { events, content: documents[0] ?? {} };
  } catch (cause) {
    if (!(cause instanceof YAMLException)) throw configError([`${file} is not valid YAML: ${messageOf(cause)}`]);
    const { mark, reason } = cause;
    const at = mark === undefined ? file : `${file}:${mark.line + 1}:${mark.column + 1}`;
    throw configError([`${at}: not valid YAML: ${reason}`]);
  }
}

/** Keys hold no NUL, so that paths of different keys differ. */
const joined = (names: readonly string[]): string => names.join('\0');

/** Offsets in the text of each key and of each item of a list, by path. */
function offsetsOf(events: readonly Event[], source: string): Map<string, number> {
  const offsets = new Map<string, number>();
  let next = 0;
  const note = (path: readonly string[], event: Event): void => {
    if (event.type === EVENT_ID.SCALAR) offsets.set(joined(path), event.valueStart);
    else if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE)
      offsets.set(joined(path), event.start);
  };
  /** Passes over one node with everything in it. */
  const walk = (path: readonly string[]): void => {
    const event = events[next++]!;
    const isOpen = (): boolean => next < events.length && events[next]!.type !== EVENT_ID.POP;
    if (event.type === EVENT_ID.MAPPING) {
      while (isOpen()) {
        const key = events[next]!;
        const name = key.type === EVENT_ID.SCALAR ? getScalarValue(source, key) : null;
        const at = [...path, name ?? ''];
        if (name === null) walk(at);
        else {
          note(at, key);
          next++;
        }
        walk(at);
      }
    } else if (event.type === EVENT_ID.SEQUENCE) {
      for (let n = 0; isOpen(); n++) {
        const at = [...path, String(n)];
        note(at, events[next]!);
        walk(at);
      }
    } else return;
    next++;
  };
  // The first event opens the document.
  next = 1;
  if (events.length > 1 && events[1]!.type !== EVENT_ID.POP) walk([]);
  return offsets;
}

function positionAt(source: string, offset: number): FilePosition {
  const before = source.slice(0, offset).split(/\r\n|\r|\n/);
  return { line: before.length, column: before.at(-1)!.length + 1 };
}
