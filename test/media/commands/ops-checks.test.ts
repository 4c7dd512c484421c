/** The files of ops/ by the checkers of others, where they are installed: docs/install.md says how. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';

const run = (program: string, args: string[], input?: string) =>
  spawnSync(program, args, { cwd: root, encoding: 'utf8', input });
const isThere = (program: string, ...args: string[]): boolean => run(program, args).status === 0;
const manifests = ['config', 'secret', 'storage', 'deployment', 'service', 'autoscale'].map(
  (name) => `ops/kubernetes/${name}.yaml`,
);

const hasHadolint = isThere('hadolint', '--version');
describe.skipIf(!hasHadolint)(`hadolint${hasHadolint ? '' : ' (skipped: not installed)'}`, () => {
  test('finds nothing in the Dockerfile', () => {
    const { status, stdout } = run('hadolint', ['ops/docker/Dockerfile']);
    expect([status, stdout]).toEqual([0, '']);
    expect(run('hadolint', ['-'], 'FROM node\nRUN cd /tmp\n').status).not.toBe(0);
  });
});

const hasValidate = isThere('kubernetes-validate', '--help');
describe.skipIf(!hasValidate)(`kubernetes-validate${hasValidate ? '' : ' (skipped: not installed)'}`, () => {
  test('finds every manifest valid', () => {
    const { status, stdout, stderr } = run('kubernetes-validate', ['--strict', ...manifests]);
    expect([status, `${stdout}${stderr}`.match(/ passed for resource /g)?.length]).toEqual([0, manifests.length]);
  });
});

const hasKubectl = isThere('kubectl', 'version', '--client');
describe.skipIf(!hasKubectl)(`kubectl kustomize${hasKubectl ? '' : ' (skipped: not installed)'}`, () => {
  test('makes one list of the resources that kustomization.yaml names', () => {
    const { status, stdout } = run('kubectl', ['kustomize', 'ops/kubernetes']);
    const text = readFileSync(path.join(root, 'ops/kubernetes/kustomization.yaml'), 'utf8');
    const { resources } = load(text) as { resources: string[] };
    expect([status, stdout.match(/^kind:/gm)?.length]).toEqual([0, resources.length]);
  });
});
