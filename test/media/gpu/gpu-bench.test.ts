/** The GPU bench where there is no card, and how it is carried: pieces, what is missing, one unpacking. */

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { Nvml } from '../../../src/pipeline/inference/native/nvml.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-gpu-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const bench = (...args: string[]) =>
  spawnSync(process.execPath, [path.join(root, 'dist/bench/gpu.js'), ...args], { encoding: 'utf8', cwd: folder });

function hasCard(): boolean {
  try {
    new Nvml().start();
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(hasCard())('without a card', () => {
  test('parts that need one say so, and the others go on', () => {
    const { stdout, status } = bench('--out', 'results', '--parts', 'monitor,runs,engines', '--limits', '3');
    expect(status).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(3);
    const { parts, provider } = JSON.parse(readFileSync(path.join(folder, 'results/gpu-bench.json'), 'utf8'));
    expect(provider).toBe('cuda');
    expect(parts.monitor.leftOut).toBe('no card');
    expect(parts.runs.leftOut).toMatch(/^cuda cannot be used here: /);
    expect(parts.engines.leftOut).toMatch(/^tensorrt cannot be used here: /);
  }, 60_000);

  test('a part whose time is over is ended, and the next has its turn', () => {
    const { stdout } = bench('--out', 'late', '--parts', 'doctor,monitor', '--limits', '0.001');
    expect(stdout).toMatch(/^doctor: failed: took more than 0 s.*\nmonitor: failed: took more than 0 s/);
  }, 60_000);

  test('a part that there is not is refused with those that there are', () => {
    const { status, stderr } = bench('--parts', 'nothing');
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/there is no part nothing; there are doctor, monitor, /);
  }, 60_000);
});

describe.skipIf(process.platform === 'win32')('a pack', () => {
  const pack = path.join(folder, 'pack');
  const to = path.join(folder, 'to');
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const pieces = new Map<string, Uint8Array>();

  /** The scripts of a pack with a program that only says what it was given. */
  function writePack(): void {
    mkdirSync(pack);
    const program = path.join(folder, 'stage/app/dist/bench');
    mkdirSync(program, { recursive: true });
    writeFileSync(path.join(program, 'gpu.js'), 'console.log("ran", process.argv.slice(2).join(" "));\n');
    const tar = execFileSync('tar', ['-C', path.join(folder, 'stage'), '-cf', '-', 'app']);
    const packed = brotliCompressSync(tar);
    pieces.set('node.gz.0', gzipSync(readFileSync(process.execPath), { level: 1 }));
    pieces.set('app.tar.br.00', packed.subarray(0, packed.length >> 1));
    pieces.set('app.tar.br.01', packed.subarray(packed.length >> 1));
    const listed = [...pieces].map(([name, bytes]) => ({ name, bytes: bytes.length, sha256: hash(bytes) }));
    writeFileSync(path.join(pack, 'manifest.json'), JSON.stringify({ id: 'one', pieces: listed }));
    const lines = listed.map(({ name, sha256 }) => `${sha256}  ${name}`).join('\n');
    writeFileSync(path.join(pack, 'manifest.txt'), `one\n${lines}\n`);
    for (const name of ['run.sh', 'unpack.mjs', 'libraries.py'])
      cpSync(path.join(root, 'bench/gpu', name), path.join(pack, name));
  }

  const run = () =>
    spawnSync('sh', [path.join(pack, 'run.sh'), '--parts', 'x'], {
      encoding: 'utf8',
      env: { ...process.env, GPU_BENCH_DIR: to, OUT: path.join(folder, 'out') },
    });

  test('that comes in pieces says what is missing, refuses what is damaged, and is unpacked once', () => {
    writePack();
    writeFileSync(path.join(pack, 'node.gz.0'), pieces.get('node.gz.0')!);
    expect(run()).toMatchObject({ status: 0, stdout: 'still missing: app.tar.br.00 app.tar.br.01\n' });
    // What was carried before need not come again.
    rmSync(path.join(pack, 'node.gz.0'));
    writeFileSync(path.join(pack, 'app.tar.br.00'), pieces.get('app.tar.br.00')!);
    writeFileSync(path.join(pack, 'app.tar.br.01'), 'damaged');
    const damaged = run();
    expect(damaged.status).not.toBe(0);
    expect(damaged.stderr).toMatch(/app\.tar\.br\.01 is damaged: carry it again/);
    writeFileSync(path.join(pack, 'app.tar.br.01'), pieces.get('app.tar.br.01')!);
    const ran = `ran --out ${path.join(folder, 'out')} --parts x\n`;
    expect(run()).toMatchObject({ status: 0, stdout: expect.stringContaining(ran) });
    // A second call runs what lies there.
    writeFileSync(path.join(to, 'app/dist/bench/gpu.js'), 'console.log("again");\n');
    expect(run().stdout).toContain('again\n');
  }, 120_000);
});
