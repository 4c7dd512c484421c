import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { ConfigInForce } from '../../../src/config/config-in-force.ts';
import type { Config } from '../../../src/config.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-in-force-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'config.yaml');
const write = (text: string): void => writeFileSync(file, text);
const TOKEN = 'a-token-that-nobody-guesses';
const anything = async (): Promise<void> => undefined;

beforeEach(() => rmSync(file, { force: true }));

describe('a changed file', () => {
  test('has its live settings taken over in the object that all parts share, and names the others', async () => {
    write('limits:\n  sessions: 4\n');
    const inForce = ConfigInForce.read({ file });
    const { limits } = inForce.config;
    write('limits:\n  sessions: 2\nserver:\n  port: 9000\n  drainMs: 5\n');
    expect(await inForce.reload(anything)).toEqual({
      taken: ['server.drainMs', 'limits.sessions'],
      waiting: ['server.port'],
    });
    expect(limits.sessions).toBe(2);
    expect(inForce.config.server).toMatchObject({ port: 8080, drainMs: 5 });
  });

  test('that sets nothing any more brings the defaults back', async () => {
    write('limits:\n  sessions: 9\n');
    const inForce = ConfigInForce.read({ file });
    write('# limits:\n#   sessions: 9\n');
    expect(await inForce.reload(anything)).toEqual({ taken: ['limits.sessions'], waiting: [] });
    expect(inForce.config.limits.sessions).toBe(4);
  });

  test('does not outrank a variable or --set', async () => {
    write('limits:\n  sessions: 4\n');
    const inForce = ConfigInForce.read({ file, env: { FACEOFF_LIMITS_SESSIONS: '7' }, set: ['limits.viewers=8'] });
    write('limits:\n  sessions: 2\n  viewers: 3\n  faces: 5\n');
    expect(await inForce.reload(anything)).toEqual({ taken: ['limits.faces'], waiting: [] });
    expect(inForce.config.limits).toMatchObject({ sessions: 7, viewers: 8, faces: 5 });
  });

  test('with one thing wrong changes nothing, and is refused as at the start', async () => {
    write('limits:\n  sessions: 4\n');
    const inForce = ConfigInForce.read({ file });
    write('limits:\n  sessions: 2\n  viewers: -1\n');
    const started = (): unknown => ConfigInForce.read({ file });
    const refused = await inForce.reload(anything).catch((error: Error) => error.message);
    expect(started).toThrow(refused as string);
    expect(inForce.config.limits).toMatchObject({ sessions: 4, viewers: 12 });
    expect(inForce.report().refused).toBe(refused);
    write('limits:\n  sessions: 2\n');
    await inForce.reload(anything);
    expect(inForce.report().refused).toBe(null);
  });

  test('whose face or model cannot be used changes nothing either', async () => {
    write('limits:\n  sessions: 4\n');
    const inForce = ConfigInForce.read({ file });
    write('limits:\n  sessions: 2\nswap:\n  face: nobody\n');
    const seen: Config[] = [];
    await expect(
      inForce.reload(async (next) => {
        seen.push(next);
        throw new Error('there is no such face');
      }),
    ).rejects.toThrow('no such face');
    expect(seen[0]).toMatchObject({ swap: { face: 'nobody' }, limits: { sessions: 2 } });
    expect(inForce.config).toMatchObject({ swap: { face: 'astronaut' }, limits: { sessions: 4 } });
  });

  test('that is gone is refused, and one that comes is taken', async () => {
    write('limits:\n  sessions: 2\n');
    const inForce = ConfigInForce.read({ file });
    rmSync(file);
    await expect(inForce.reload(anything)).rejects.toThrow('there is no such file');
    expect(inForce.config.limits.sessions).toBe(2);

    const without = ConfigInForce.read({ file });
    expect(without.report().file).toBe(null);
    write('limits:\n  sessions: 3\n');
    expect((await without.reload(anything)).taken).toEqual(['limits.sessions']);
    expect(without.report().file).toBe(file);
  });
});

describe('the report', () => {
  test('says of each value where it comes from', () => {
    write('server:\n  port: 9000\nlimits:\n  viewers: 12\n');
    const env = { FACEOFF_LIMITS_SESSIONS: '7' };
    const { settings } = ConfigInForce.read({ file, env, set: ['limits.faces=5'] }).report();
    const plain = { takenAt: null, needsRestart: false };
    expect(settings['server.port']).toEqual({
      value: 9000,
      isDefault: false,
      from: 'file',
      at: `${file}:2`,
      live: false,
      ...plain,
    });
    expect(settings['limits.viewers']).toMatchObject({ value: 12, isDefault: true, from: 'file', at: `${file}:4` });
    expect(settings['limits.sessions']).toMatchObject({ value: 7, from: 'environment', at: 'FACEOFF_LIMITS_SESSIONS' });
    expect(settings['limits.faces']).toMatchObject({ value: 5, from: 'command line', at: '--set', live: true });
    expect(settings['storage.dir']).toMatchObject({ isDefault: true, from: 'default', at: null });
  });

  test('keeps the origin of what waits for a restart, and the time of what was taken', async () => {
    write('server:\n  port: 9000\n');
    const inForce = ConfigInForce.read({ file });
    write('limits:\n  sessions: 2\nserver:\n  host: ::1\n');
    await inForce.reload(anything);
    const { settings } = inForce.report();
    expect(settings['server.port']).toMatchObject({ value: 9000, from: 'file', at: `${file}:2`, needsRestart: true });
    expect(settings['server.host']).toMatchObject({ value: '127.0.0.1', from: 'default', needsRestart: true });
    expect(settings['limits.sessions']).toMatchObject({ value: 2, at: `${file}:2`, needsRestart: false });
    expect(Date.parse(settings['limits.sessions']!.takenAt!)).not.toBeNaN();
  });

  test('holds no secret', () => {
    const ice =
      '{ urls: ["turn:a.example"], username: u, credential: turn-word }, { urls: ["turn:b.example"], secret: shared-word }';
    write(`server:\n  token: ${TOKEN}\nwebrtc:\n  iceServers: [${ice}]\n`);
    const text = JSON.stringify(ConfigInForce.read({ file }).report());
    expect(text).toContain('turn:b.example');
    for (const secret of [TOKEN, 'turn-word', 'shared-word']) expect(text).not.toContain(secret);
  });
});
