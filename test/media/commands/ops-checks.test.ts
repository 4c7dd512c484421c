/** The files of ops/ by the checkers of others, where they are installed: docs/install.md says how. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load, loadAll } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';

const run = (program: string, args: string[], input?: string) =>
  spawnSync(program, args, { cwd: root, encoding: 'utf8', input });
const isThere = (program: string, ...args: string[]): boolean => run(program, args).status === 0;
const manifests = [
  ...['config', 'secret', 'storage', 'deployment', 'service', 'autoscale'].map((name) => `kubernetes/${name}`),
  ...['credentials', 'redis', 'sfu', 'agent', 'agent-scale'].map((name) => `cluster/${name}`),
  'cluster-gpu/models',
].map((name) => `ops/${name}.yaml`);

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
    const resources = manifests.flatMap((file) => loadAll(readFileSync(path.join(root, file), 'utf8')));
    expect([status, `${stdout}${stderr}`.match(/ passed for resource /g)?.length]).toEqual([0, resources.length]);
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

  interface Resource {
    kind: string;
    metadata: { name: string };
    spec: { template: { spec: { nodeSelector?: object; containers: { env: { name: string }[] }[] } } };
  }
  const kustomized = (folder: string): Resource[] => {
    const { status, stdout } = run('kubectl', ['kustomize', folder]);
    expect(status).toBe(0);
    return loadAll(stdout) as Resource[];
  };
  const pod = (resources: readonly Resource[], name: string) =>
    resources.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name)!.spec.template.spec;

  test('adds the cluster to the server’s manifests, and cards to the cluster', () => {
    const cluster = kustomized('ops/cluster');
    const env = pod(cluster, 'faceoff').containers[0]!.env.map(({ name }) => name);
    expect(env).toEqual(expect.arrayContaining(['FACEOFF_SERVER_TOKEN', 'FACEOFF_LIVEKIT_URL']));
    const withCards = kustomized('ops/cluster-gpu');
    expect(withCards).toHaveLength(cluster.length + 1);
    expect([cluster, withCards].map((resources) => pod(resources, 'faceoff-agent').nodeSelector)).toEqual([
      undefined,
      { 'nvidia.com/gpu.present': 'true' },
    ]);
  });
});
