import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultConfig } from '../../../src/config.ts';
import { type LogOptions, openLog } from '../../../src/lib/log.ts';
import { until } from '../../support/server.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'faceoff-log-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function configured(logging: Partial<LogOptions>): LogOptions {
  const config = defaultConfig();
  return { ...config.logging, dir, ...logging };
}

function collector() {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { stream, text: () => text };
}

const filed = (): string =>
  readdirSync(dir)
    .map((name) => readFileSync(path.join(dir, name), 'utf8'))
    .join('');

test('console and file have their own levels', async () => {
  const shown = collector();
  const log = await openLog(configured({ level: 'warn', fileLevel: 'debug', pretty: 'never' }), shown.stream);
  log.logger.debug('small');
  log.logger.warn('großes Ärgernis 顔');
  await log.close();
  expect(shown.text()).toContain('großes Ärgernis 顔');
  expect(shown.text()).not.toContain('small');
  expect(filed()).toContain('small');
  expect(filed()).toContain('großes Ärgernis 顔');
});

test('levels can be changed while the log is open, also to and from silent', async () => {
  const shown = collector();
  const log = await openLog(configured({ level: 'silent', fileLevel: 'info', pretty: 'never' }), shown.stream);
  log.logger.info('one');
  log.setLevels({ level: 'debug', fileLevel: 'error' });
  log.logger.debug('two');
  log.logger.error('three');
  log.setLevels({ level: 'error', fileLevel: 'trace' });
  log.logger.trace('four');
  log.setLevels({ level: 'info', fileLevel: 'silent' });
  log.logger.error('five');
  await log.close();
  const messages = (text: string): string[] => [...text.matchAll(/"msg":"(\w+)"/g)].map(([, message]) => message!);
  expect(messages(shown.text())).toEqual(['two', 'three', 'five']);
  expect(messages(filed())).toEqual(['one', 'three', 'four']);
});

test('files rotate at their size and only so many are kept', async () => {
  const log = await openLog(configured({ level: 'silent', fileSizeMb: 0.01, files: 3 }), collector().stream);
  for (let n = 0; n < 40; n++) {
    for (let i = 0; i < 20; i++) log.logger.info({ n, i, filler: 'x'.repeat(80) }, 'line');
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  await until(() => readdirSync(dir).length === 3, 'three files to be left');
  await log.close();
  const files = readdirSync(dir);
  expect(files).toHaveLength(3);
  // Numbers went on while old files were removed, so it did rotate.
  expect(Math.max(...files.map((name) => Number(name.match(/\.(\d+)\.log$/)?.[1])))).toBeGreaterThan(4);
  expect(filed()).toContain('"n":39');
});

test('private fields are not written even where a line names them', async () => {
  const log = await openLog(configured({ level: 'silent' }), collector().stream);
  log.logger.info(
    { sdp: 'v=0 secret', request: { remoteAddress: '10.1.2.3', token: 'abc' }, face: { embedding: [0.123] } },
    'careless',
  );
  await log.close();
  expect(filed()).toContain('careless');
  for (const secret of ['v=0 secret', '10.1.2.3', 'abc"', '0.123']) expect(filed()).not.toContain(secret);
});

test.each([
  [
    'is a file',
    () => {
      const file = path.join(dir, 'taken');
      writeFileSync(file, '');
      return file;
    },
  ],
  ['cannot be made', () => '/proc/x/logs'],
])('a folder that %s is refused in a sentence', async (_what, folder) => {
  const opened = openLog(configured({ dir: folder() }), collector().stream);
  await expect(opened).rejects.toMatchObject({ code: 'bad_config', message: expect.stringMatching(/^logging\.dir: /) });
});

test('a console that goes away costs its lines and nothing else', async () => {
  const shown = collector();
  const log = await openLog(configured({ level: 'info', pretty: 'never' }), shown.stream);
  shown.stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  await new Promise((resolve) => setImmediate(resolve));
  log.logger.info('still filed');
  await log.close();
  expect(filed()).toContain('still filed');
});
