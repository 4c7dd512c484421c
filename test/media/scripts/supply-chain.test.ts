/** `npm run audit` and `npm run sbom`. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { load } from 'js-yaml';
import { afterEach, describe, expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';

const left: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of left.splice(0).reverse()) await clean();
});

const temporary = (): string => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-supply-'));
  left.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

interface LockEntry {
  license?: string;
  dev?: boolean;
}
const lockOf = (folder: string): Record<string, LockEntry> =>
  (JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockEntry> })
    .packages;

describe('licences', () => {
  const check = (folder: string) =>
    spawnSync(process.execPath, [path.join(root, 'scripts/licences.mjs'), folder], { encoding: 'utf8' });

  function checkWith(packages: Record<string, LockEntry>, notice = 'Nothing.') {
    const folder = temporary();
    writeFileSync(path.join(folder, 'NOTICE'), notice);
    const entries = Object.entries(packages).map(([name, entry]) => [
      `node_modules/${name}`,
      { version: '1.0.0', ...entry },
    ]);
    writeFileSync(
      path.join(folder, 'package-lock.json'),
      JSON.stringify({ packages: { '': {}, ...Object.fromEntries(entries) } }),
    );
    const { status, stderr } = check(folder);
    return { status, stderr };
  }

  test('of all packages that are installed with FaceOff are allowed', () => {
    const { status, stderr } = check(root);
    expect([stderr, status]).toEqual(['', 0]);
  });

  test.each([
    ['a licence that is not allowed', 'GPL-3.0-only', 1],
    ['a choice of which one is allowed', '(GPL-3.0-only OR MIT)', 0],
    ['several together of which one is not', 'MIT AND (LGPL-3.0-or-later OR GPL-2.0-only)', 1],
    ['several together that are allowed', 'MIT AND (GPL-3.0-only OR ISC) AND BSD-3-Clause', 0],
    ['a text that is no expression', 'MIT, or as you like', 1],
  ])('%s: %s', (_what, license, wanted) => {
    const { status, stderr } = checkWith({ thing: { license } });
    expect(status).toBe(wanted);
    if (wanted === 1) expect(stderr).toContain(`thing 1.0.0: ${license}`);
  });

  test('that none tells are not allowed, and those of tools do not matter', () => {
    expect(checkWith({ thing: {} }).stderr).toContain('thing 1.0.0: none is told');
    expect(checkWith({ thing: { license: 'GPL-3.0-only', dev: true } }).status).toBe(0);
  });

  test('that NOTICE names with the package are allowed for that package alone', () => {
    const notice = 'Something else.\n\n@scope/lib-* and other-thing are under LGPL-3.0-or-later.\n';
    const license = 'LGPL-3.0-or-later';
    expect(checkWith({ '@scope/lib-linux': { license }, 'other-thing': { license } }, notice).status).toBe(0);
    expect(checkWith({ '@scope/other': { license } }, notice).status).toBe(1);
    expect(checkWith({ 'other-thing': { license: 'AGPL-3.0-only' } }, notice).status).toBe(1);
  });
});

describe('the audit', () => {
  /** Runs it against a registry. */
  function audit(registry: string): Promise<{ status: number | null; output: string }> {
    const child = spawn(process.execPath, [path.join(root, 'scripts/audit.mjs')], {
      cwd: root,
      env: { ...process.env, npm_config_registry: registry, npm_config_cache: temporary() },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
    return new Promise((resolve) => child.once('exit', (status) => resolve({ status, output })));
  }

  /** A registry with these vulnerabilities, or one that has no such service. */
  async function registry(bulk: object | null): Promise<string> {
    const server = createServer((request, response) => {
      request.resume();
      const isQuestion = request.method === 'POST' && request.url?.endsWith('/advisories/bulk') === true;
      // npm reads about a package that has an advisory.
      const answer = isQuestion
        ? bulk
        : { name: decodeURIComponent(request.url!.slice(1)), 'dist-tags': {}, versions: {} };
      response.writeHead(answer === null ? 405 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    left.push(() => new Promise((resolve) => server.close(resolve)));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  const advisory = (severity: string): object => ({
    id: 1,
    url: 'https://advisories.example/1',
    title: 'Something is wrong',
    severity,
    vulnerable_versions: '>=1.0.0',
    cwe: [],
    cvss: { score: 0, vectorString: null },
  });

  test('passes where the registry knows of nothing, and of nothing grave', async () => {
    const { status, output } = await audit(await registry({}));
    expect([status, output.trim()]).toEqual([0, 'No package has a vulnerability that is high or critical.']);
    expect((await audit(await registry({ ws: [advisory('moderate')] }))).status).toBe(0);
  });

  test('fails on a package with a high vulnerability, and names it', async () => {
    const { status, output } = await audit(await registry({ ws: [advisory('high')] }));
    expect(status).toBe(1);
    expect(output).toMatch(/^ws .*: high/m);
  });

  test('says in one line that a registry does not tell, and passes', async () => {
    for (const where of [await registry(null), 'http://127.0.0.1:9/']) {
      const { status, output } = await audit(where);
      expect(output).toMatch(/^Vulnerabilities are not checked: the registry does not tell \(.+\)\.\n$/);
      expect(status).toBe(0);
    }
  });
});

test('the bill of materials is CycloneDX, without a network, of every package and model', async () => {
  const file = path.join(temporary(), 'sbom.json');
  const { status, stderr } = spawnSync(process.execPath, [path.join(root, 'scripts/sbom.mjs'), file], {
    encoding: 'utf8',
    env: { ...process.env, npm_config_registry: 'http://127.0.0.1:9/', npm_config_cache: temporary() },
  });
  expect([stderr, status]).toEqual(['', 0]);
  const text = readFileSync(file, 'utf8');
  expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text)).toBe(null);
  const bom = JSON.parse(text) as {
    metadata: { component: { name: string; type: string } };
    components: { type: string; name: string; hashes?: { content: string }[]; licenses?: unknown[] }[];
  };
  expect(bom.metadata.component).toMatchObject({ name: 'faceoff', type: 'application' });
  const packages = Object.entries(lockOf(root)).filter(([at, { dev }]) => at !== '' && dev !== true);
  const names = new Set(bom.components.map(({ name }) => name));
  expect(names.has('vitest')).toBe(false);
  expect(packages.map(([at]) => at.replace(/^.*node_modules\//, '')).filter((name) => !names.has(name))).toEqual([]);
  const { models } = load(readFileSync(path.join(root, 'models/models.yaml'), 'utf8')) as {
    models: { name: string; sha256: string }[];
  };
  const digests = bom.components
    .filter(({ type }) => type === 'machine-learning-model')
    .map(({ name, hashes }) => [name, hashes?.[0]?.content]);
  expect(digests).toEqual(models.map(({ name, sha256 }) => [name, sha256]));
  expect(bom.components.filter(({ licenses = [] }) => licenses.length === 0).map(({ name }) => name)).toEqual([]);
});
