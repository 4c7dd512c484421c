/**
 * Schemathesis (PyPI) makes requests from the document, right and wrong ones, and holds the replies against it. A longer
 * run: FACEOFF_SCHEMATHESIS_EXAMPLES=100 (docs/api.md).
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from '../../../../src/lib/package-root.ts';
import { astronaut } from '../../../support/lane.ts';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';

const program = process.env.FACEOFF_SCHEMATHESIS ?? 'schemathesis';
const examples = Number(process.env.FACEOFF_SCHEMATHESIS_EXAMPLES ?? 10);
const isThere = spawnSync(program, ['--version']).status === 0;
if (!isThere)
  process.stderr.write(`no ${program} here: pip install schemathesis, or name it in FACEOFF_SCHEMATHESIS\n`);

const token = 'a-token-of-this-test';
const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-schemathesis-'));
/** Of what requests may delete there are several. */
const recordings = Array.from({ length: 5 }, (_, n) => `evening-${n}.webm`);
const faces: string[] = [];
let server: TestServer;
let camera: Publisher;

beforeAll(async () => {
  if (!isThere) return;
  mkdirSync(path.join(folder, 'recordings'));
  for (const name of recordings) writeFileSync(path.join(folder, 'recordings', name), 'pictures');
  server = await startServer({
    server: { token },
    // Wrong tokens are part of the run, offers whose callers never connect, too.
    limits: { wrongTokens: 0, connectionsPerAddress: 0, sessions: 64, viewers: 64 },
    webrtc: { connectTimeoutMs: 1000 },
    recording: { dir: path.join(folder, 'recordings') },
    // Tokens are made without it; it cannot be reached.
    livekit: { url: 'ws://127.0.0.1:9', key: 'key', secret: 'a-secret-of-the-tests-that-has-32-characters' },
  });
  for (let n = 0; n < 5; n++) faces.push(await addFace(`Ada ${n}`));
  camera = new Publisher();
  camera.send(160, 120);
  expect((await camera.whip(server.url, '?stream=desk', { authorization: `Bearer ${token}` })).status).toBe(201);
  await until(() => camera.received.length > 0, 'a picture');
}, 120_000);
afterAll(async () => {
  camera?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function addFace(name: string): Promise<string> {
  const form = new FormData();
  form.append('file', new Blob([readFileSync(astronaut)]));
  for (const [field, value] of Object.entries({ consent: 'true', name })) form.append(field, value);
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${server.url}/api/faces`, { method: 'POST', body: form, headers });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

/** Statuses that refuse wrong data; its own list lacks 413. */
const REFUSALS = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429, 502, 503];
/** Statuses that are no defect: a full machine and an absent LiveKit, where the document tells of them. */
const NO_DEFECT = ['2xx', '3xx', '4xx', 502, 503];

/** Names that there are, for some of the requests. */
function settingsFor(session: string): string {
  const known = {
    session: [session],
    stream: ['desk'],
    preset: ['Evening'],
    face: ['astronaut', ...faces],
    file: recordings,
  };
  const lists = Object.entries(known).map(([name, values]) => `${name} = { values = ${JSON.stringify(values)} }`);
  const uses = Object.keys(known).map((name) => `${name} = { dictionary = "${name}", probability = 0.7 }`);
  return [
    '[checks]',
    `negative_data_rejection.expected-statuses = ${JSON.stringify(REFUSALS)}`,
    `not_a_server_error.expected-statuses = ${JSON.stringify(NO_DEFECT)}`,
    '[dictionaries]',
    ...lists,
    '[[operations]]',
    'include-tag = ["live", "recordings", "presets", "faces"]',
    `parameters = { ${uses.join(', ')} }`,
    '',
  ].join('\n');
}

/** Runs schemathesis. @returns its exit status and what it wrote. */
function run(args: readonly string[]): Promise<{ status: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, SCHEMATHESIS_HOOKS: path.join(root, 'test/support/schemathesis_hooks.py') },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        said += data.toString();
      });
    child.once('exit', (status) => resolve({ status, said }));
  });
}

/** Makes requests of the operations that `which` selects. */
const askFor = (which: string) =>
  run([
    `--config-file=${path.join(folder, 'schemathesis.toml')}`,
    'run',
    `${server.url}/api/openapi.json`,
    `--header=Authorization: Bearer ${token}`,
    '--checks=all',
    // No schema says that a picture has a face, or that an offer fits the codecs there are.
    '--exclude-checks=positive_data_acceptance',
    '--phases=coverage,fuzzing',
    `--max-examples=${examples}`,
    '--seed=23',
    '--max-redirects=0',
    '--continue-on-failure',
    '--no-shrink',
    which,
    // Each request records for a time, and one at a time is allowed: its own test asks for all of its replies.
    ...(which.startsWith('--exclude') ? ['--exclude-operation-id=profile'] : []),
  ]);

test.runIf(isThere)(
  'schemathesis finds no defect and no reply that the document does not tell of',
  async () => {
    writeFileSync(path.join(folder, 'schemathesis.toml'), settingsFor(server.sessions.all()[0]!.id));
    // It learns the session's id from replies, and would end it before all else was asked.
    for (const which of ['--exclude-operation-id=publishEnd', '--include-operation-id=publishEnd']) {
      const { status, said } = await askFor(which);
      process.stdout.write(said.slice(said.indexOf('SUMMARY')));
      expect(`${status} ${status === 0 ? '' : said}`).toBe('0 ');
      expect(said).toMatch(which.startsWith('--exclude') ? /Tested: *[6-9]\d/ : /Tested: *1/);
      if (which.startsWith('--exclude')) expect(camera.connection.connectionState).toBe('connected');
    }
  },
  (60 + 10 * examples) * 1000,
);
