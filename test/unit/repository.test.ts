/** The rules of the repository: which room may import which, one home for each native package, names, documents. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';

/**
 * Rooms of src/ from the lowest to the highest, each with the rooms it may import. A room is a folder; a file directly in
 * src/ is a room of its own. Folders not named here belong to the nearest parent that is.
 */
const ROOMS: Record<string, readonly string[]> = {
  shared: [],
  lib: ['shared'],
  config: ['shared', 'lib'],
  cache: ['shared', 'lib', 'config'],
  watermark: ['shared', 'lib'],
  'pipeline/models': ['shared', 'lib'],
  'pipeline/inference/native': ['shared', 'lib', 'pipeline/models'],
  'pipeline/inference': ['shared', 'lib', 'pipeline/models', 'pipeline/inference/native'],
  'pipeline/kernels': ['shared', 'lib', 'watermark'],
  'pipeline/background': ['shared', 'lib', 'pipeline/inference', 'pipeline/kernels'],
  'pipeline/face': ['shared', 'lib', 'pipeline/inference', 'pipeline/kernels'],
  'pipeline/framing': ['shared', 'pipeline/kernels'],
  'pipeline/content': ['shared', 'lib', 'pipeline/models', 'pipeline/inference'],
  'pipeline/device': ['shared', 'lib', 'cache', 'pipeline/models', 'pipeline/inference', 'pipeline/inference/native'],
  'pipeline/engines': [
    'shared',
    'lib',
    'pipeline/models',
    'pipeline/inference',
    'pipeline/kernels',
    'pipeline/face',
    'pipeline/device',
  ],
  'pipeline/pool': [
    'shared',
    'lib',
    'config',
    'watermark',
    'pipeline/background',
    'pipeline/models',
    'pipeline/device',
    'pipeline/engines',
  ],
  faces: ['shared', 'lib', 'config', 'pipeline/face', 'pipeline/engines', 'pipeline/pool'],
  'pipeline/lane': [
    'shared',
    'lib',
    'faces',
    'watermark',
    'pipeline/models',
    'pipeline/background',
    'pipeline/content',
    'pipeline/inference',
    'pipeline/kernels',
    'pipeline/face',
    'pipeline/framing',
    'pipeline/device',
    'pipeline/engines',
    'pipeline/pool',
  ],
  'media/provenance': ['shared', 'lib'],
  media: ['shared', 'lib', 'faces', 'media/provenance'],
  metrics: ['shared', 'lib', 'config', 'pipeline/device', 'pipeline/pool'],
  'server/monitor': ['shared', 'lib', 'config', 'metrics', 'pipeline/inference/native'],
  'server/webrtc': ['shared', 'lib', 'config', 'media'],
  'server/rtp': ['shared', 'lib'],
  'server/h264': ['shared', 'lib', 'config', 'cache', 'media', 'server/rtp', 'server/webrtc'],
  'server/disclosure': ['shared', 'lib', 'config', 'faces'],
  'server/audio': ['shared', 'lib', 'media', 'server/webrtc'],
  'server/hooks': ['shared', 'lib', 'config', 'metrics'],
  'server/profile': ['shared', 'lib', 'config'],
  'server/recording': [
    'shared',
    'lib',
    'config',
    'metrics',
    'media',
    'media/provenance',
    'server/hooks',
    'server/monitor',
  ],
  'server/session': [
    'shared',
    'lib',
    'config',
    'metrics',
    'faces',
    'media',
    'media/provenance',
    'pipeline/content',
    'server/hooks',
    'server/monitor',
    'server/webrtc',
    'server/h264',
    'server/disclosure',
    'server/audio',
    'server/recording',
  ],
  'server/osc': ['shared', 'lib', 'config'],
  'server/trial': ['shared', 'lib', 'faces', 'server/disclosure'],
  'server/access': ['shared', 'lib', 'config'],
  livekit: ['shared', 'config'],
  agent: [
    'shared',
    'lib',
    'config',
    'cache',
    'metrics',
    'livekit',
    'pipeline/content',
    'server/access',
    'server/disclosure',
    'server/h264',
    'server/hooks',
    'server/monitor',
    'server/webrtc',
    'server/session',
  ],
  'server/cluster': ['shared', 'lib', 'config', 'livekit', 'server/session'],
  'server/openapi': ['shared', 'lib', 'config', 'server/access', 'server/session'],
  'server/uploads': ['shared', 'lib', 'config', 'faces', 'server/access'],
  'server/backgrounds': [
    'shared',
    'lib',
    'config',
    'faces',
    'pipeline/background',
    'pipeline/pool',
    'server/access',
    'server/uploads',
  ],
  'server/http': [
    'shared',
    'lib',
    'config',
    'cache',
    'metrics',
    'livekit',
    'faces',
    'media/provenance',
    'pipeline/content',
    'pipeline/models',
    'pipeline/pool',
    'server/access',
    'server/backgrounds',
    'server/disclosure',
    'server/uploads',
    'server/h264',
    'server/hooks',
    'server/monitor',
    'server/profile',
    'server/webrtc',
    'server/recording',
    'server/session',
    'server/osc',
    'server/trial',
    'server/cluster',
    'server/openapi',
  ],
  commands: [
    'shared',
    'lib',
    'config',
    'cache',
    'metrics',
    'faces',
    'media',
    'media/provenance',
    'watermark',
    'pipeline/content',
    'pipeline/models',
    'pipeline/inference',
    'pipeline/inference/native',
    'pipeline/kernels',
    'pipeline/background',
    'pipeline/pool',
    'livekit',
    'agent',
    'server/access',
    'server/backgrounds',
    'server/disclosure',
    'server/h264',
    'server/hooks',
    'server/http',
    'server/monitor',
    'server/session',
    'server/webrtc',
  ],
  main: ['lib', 'commands', 'shared'],
  'client/language': ['shared'],
  'client/lib': ['shared', 'client/language'],
  'client/peer': ['shared', 'client/language', 'client/lib'],
  'client/notices': ['shared', 'client/language', 'client/peer'],
  'client/cluster': ['shared', 'client/lib', 'client/peer'],
  'client/transport': ['shared', 'client/lib', 'client/peer', 'client/cluster'],
  'client/sound': ['client/language', 'client/lib'],
  'client/remote': ['shared', 'client/language', 'client/lib'],
  'client/studio': [
    'shared',
    'client/language',
    'client/lib',
    'client/peer',
    'client/notices',
    'client/sound',
    'client/transport',
  ],
  'client/call': [
    'shared',
    'client/language',
    'client/lib',
    'client/peer',
    'client/notices',
    'client/sound',
    'client/studio',
    'client/transport',
  ],
  'client/player': ['shared', 'client/language', 'client/lib', 'client/peer', 'client/transport'],
  'client/login': ['shared', 'client/language', 'client/lib'],
  'client/docs': ['shared', 'client/lib'],
  'client/detector': ['shared', 'watermark', 'client/language', 'client/lib'],
};

/** The one home of each package that is native or must stay on one thread. */
const HOMES: Record<string, string> = {
  '@roamhq/wrtc': 'src/server/webrtc/',
  'onnxruntime-node': 'src/pipeline/inference/',
  koffi: 'src/pipeline/inference/native/',
  'node-datachannel': 'src/server/h264/',
  'node-av': 'src/server/h264/',
  sharp: 'src/lib/sharp.ts',
  '@livekit/rtc-node': 'src/agent/',
  'livekit-client': 'src/client/cluster/',
};

/** Files that may have the name of another one: what every folder or every thread has. */
const INDEX_LIKE = new Set(['index', 'README', 'tsconfig']);

const MOST_FILES = 15;
const MOST_LINES = 500;
/** Words of one house's dialect, for which the field has a term. */
const GONE = /(?<!ietf-)\b(wish|veil|tries|shelf|brushes|calm|sure|pulse|lookers-on|keeper)\b/i;
/** Pronouns in place of a thing's name; a relative clause about a person may have one. */
const PRONOUNS =
  /\b(whoever|whom|nobody|somebody|everybody|anybody)\b|(?<!\b(person|people|man|woman|user|operator|contributor|streamer) )\bwho\b/i;

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root })
  .toString()
  .trim()
  .split('\n');
const contents = new Map<string, string>();
const read = (file: string): string => {
  const known = contents.get(file) ?? readFileSync(path.join(root, file), 'utf8');
  contents.set(file, known);
  return known;
};
const files = tracked.filter((file) => {
  try {
    read(file);
    return true;
  } catch {
    // Deleted, but not yet from the index.
    return false;
  }
});
const isAssembly = (file: string): boolean => file.startsWith('src/pipeline/kernels/assembly/');
const sources = files.filter((file) => /^(src|extension|bench|fuzz)\/.*\.ts$/.test(file) && !isAssembly(file));
const code = files.filter((file) =>
  /^(src|extension|bench|fuzz|test|scripts)\/.*\.(ts|mjs|mts|css|html|py)$/.test(file),
);
const documents = files.filter((file) => /\.(md|yaml|yml)$/.test(file) && !file.startsWith('models/'));

/** Relative imports of a file, as paths from the root. */
const importsOf = (file: string): string[] =>
  [...read(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, to]) =>
    path.posix.normalize(path.posix.join(path.posix.dirname(file), to!)),
  );

/** The room of a file of src/: the longest that is named. */
function roomOf(file: string): string | null {
  const inside = file.replace(/^src\//, '').replace(/(\.d)?\.ts$/, '');
  const rooms = Object.keys(ROOMS).filter((room) => inside === room || inside.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? null;
}

const duplicates = (entries: readonly (readonly [string, string])[]): string[] => {
  const homes = new Map<string, Set<string>>();
  for (const [name, file] of entries) homes.set(name, (homes.get(name) ?? new Set()).add(file));
  return [...homes].filter(([, at]) => at.size > 1).map(([name, at]) => `${name}: ${[...at].join(', ')}`);
};

/** Lines of a file that a pattern finds, as file:line: text. */
const linesOf = (file: string, pattern: RegExp, text = read(file)): string[] =>
  text.split('\n').flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1}: ${line.trim()}`] : []));

/** A file with everything blanked but its comments, so that lines keep their numbers. */
function commentsOf(file: string): string {
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  let out = '';
  let at = 0;
  for (const match of read(file).matchAll(/\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/[^\n]*/g)) {
    out += blank(read(file).slice(at, match.index)) + match[0];
    at = match.index + match[0].length;
  }
  return out;
}

const EXPORT =
  /^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(class|function\*?|const|let|type|interface|enum) (\w+)/;

/** Exported names of a file with the line they stand on, from 0. */
const exportsOf = (file: string): { name: string; line: number }[] =>
  read(file)
    .split('\n')
    .flatMap((text, line) => {
      const name = EXPORT.exec(text)?.[2];
      return name === undefined ? [] : [{ name, line }];
    });

describe('imports', () => {
  test('every file of src is in a room', () => {
    expect(sources.filter((file) => file.startsWith('src/') && roomOf(file) === null)).toEqual([]);
  });

  test('go only to rooms below', () => {
    const wrong = sources.flatMap((file) => {
      const from = file.startsWith('src/') ? roomOf(file) : null;
      if (from === null) return [];
      return importsOf(file)
        .filter((to) => roomOf(to) !== from && !ROOMS[from]!.includes(roomOf(to) ?? to))
        .map((to) => `${file} -> ${to}`);
    });
    expect(wrong).toEqual([]);
  });

  test('of rooms have no circles', () => {
    const done = new Set<string>();
    const visit = (room: string, above: readonly string[]): string[] => {
      if (above.includes(room)) return [[...above, room].join(' -> ')];
      if (done.has(room)) return [];
      const found = ROOMS[room]!.flatMap((below) => visit(below, [...above, room]));
      done.add(room);
      return found;
    };
    expect(Object.keys(ROOMS).flatMap((room) => visit(room, []))).toEqual([]);
  });

  test('of files have no circles', () => {
    const state = new Map<string, 'open' | 'done'>();
    const circles: string[] = [];
    const visit = (file: string, above: readonly string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        circles.push([...above.slice(above.indexOf(file)), file].join(' -> '));
        return;
      }
      state.set(file, 'open');
      for (const to of importsOf(file)) if (sources.includes(to)) visit(to, [...above, file]);
      state.set(file, 'done');
    };
    for (const file of sources) visit(file, []);
    expect(circles).toEqual([]);
  });

  test('of a native package come from its home alone', () => {
    const wrong = Object.entries(HOMES).flatMap(([name, home]) =>
      sources
        .filter((file) => file.startsWith('src/') && !file.startsWith(home))
        .filter((file) => new RegExp(`(from|import\\(|require\\)?\\()\\s*'${name}'`).test(read(file)))
        .map((file) => `${file} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('of pages and extension take nothing from the server but what is shared', () => {
    const wrong = sources
      .filter((file) => file.startsWith('extension/'))
      .flatMap((file) =>
        importsOf(file)
          .filter((to) => to.startsWith('src/') && !/^src\/(shared|client\/(lib|peer))\//.test(to))
          .map((to) => `${file} -> ${to}`),
      );
    expect(wrong).toEqual([]);
  });
});

describe('names', () => {
  test('of files are kebab-case and occur once', () => {
    const named = files.filter((file) => /^(src|extension|bench|fuzz|scripts)\/.*\.(ts|mjs)$/.test(file));
    const stem = (file: string): string => path.basename(file).replace(/(\.d)?\.(ts|mts|mjs)$/, '');
    expect(named.filter((file) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem(file)))).toEqual([]);
    const pairs = named.map((file) => [stem(file), file] as const).filter(([name]) => !INDEX_LIKE.has(name));
    expect(duplicates(pairs)).toEqual([]);
  });

  test('of exports occur once', () => {
    const pairs = sources.flatMap((file) => exportsOf(file).map(({ name }) => [name, file] as const));
    expect(duplicates(pairs)).toEqual([]);
  });
});

describe('sizes', () => {
  test(`no folder but of tests holds more than ${MOST_FILES} files of its own`, () => {
    const counts = new Map<string, number>();
    for (const file of files.filter((file) => /^(src|extension|bench|fuzz|scripts)\//.test(file))) {
      const folder = path.posix.dirname(file);
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
    expect([...counts].filter(([, count]) => count > MOST_FILES)).toEqual([]);
  });

  test(`no file has more than ${MOST_LINES} lines`, () => {
    const long = code.map((file) => [file, read(file).split('\n').length - 1] as const);
    expect(long.filter(([file, lines]) => lines > MOST_LINES && !file.includes('/fixtures/'))).toEqual([]);
  });
});

describe('documents', () => {
  test('every export has a docblock of its own', () => {
    const bare = sources.flatMap((file) => {
      const lines = read(file).split('\n');
      return exportsOf(file)
        .filter(({ line }) => !/\*\/\s*$/.test(lines[line - 1] ?? ''))
        .map(({ name, line }) => `${file}:${line + 1}: ${name}`);
    });
    expect(bare).toEqual([]);
  });

  test('ARCHITECTURE lists the rooms that there are', () => {
    const listed = [...read('ARCHITECTURE.md').matchAll(/^\| `(src\/[a-z0-9/]*)` \|/gm)].map(([, room]) => room!);
    const there = new Set(
      files
        .filter((file) => file.startsWith('src/') && path.posix.dirname(file) !== 'src')
        .filter((file) => /\.(ts|css)$/.test(file))
        .map((file) => `${path.posix.dirname(file)}/`),
    );
    expect(listed.sort()).toEqual([...there].sort());
  });

  test('links of documents lead to files that there are', () => {
    const broken = documents.flatMap((file) =>
      [...read(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
        .map(([, to]) => path.posix.normalize(path.posix.join(path.posix.dirname(file), to!)))
        .filter((to) => !files.some((there) => there === to || there.startsWith(`${to.replace(/\/$/, '')}/`)))
        .map((to) => `${file} -> ${to}`),
    );
    expect(broken).toEqual([]);
  });

  test('words for which the field has a term are gone', () => {
    // The change log names what was renamed.
    const texts = [...code, ...documents].filter((file) => !/repository\.test\.ts$|^CHANGELOG\.md$/.test(file));
    expect(texts.filter((file) => !file.includes('fixtures/')).flatMap((file) => linesOf(file, GONE))).toEqual([]);
  });

  test('no comment has a pronoun for a thing', () => {
    const commented = code.filter((file) => /\.(ts|mjs|mts)$/.test(file) && !file.includes('fixtures/'));
    expect(commented.flatMap((file) => linesOf(file, PRONOUNS, commentsOf(file)))).toEqual([]);
  });

  test('no document has a pronoun for a thing', () => {
    const prose = documents.filter((file) => file !== 'CHANGELOG.md');
    expect(prose.flatMap((file) => linesOf(file, PRONOUNS))).toEqual([]);
  });
});

describe('code', () => {
  test('has no rest parameter that packs named ones into a tuple', () => {
    expect(
      sources.flatMap((file) => linesOf(file, /^\s*(?:[\w#<>, ]*\()?\.\.\.\[[\w\s,{}=]*$|\.\.\.\[[^\]]*\]:/)),
    ).toEqual([]);
  });

  test('has no spread of an object literal that packs lines', () => {
    expect(sources.flatMap((file) => linesOf(file, /\.\.\.\{/))).toEqual([]);
  });
});
