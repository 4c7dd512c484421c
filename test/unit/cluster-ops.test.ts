/** The files of ops/cluster: they name settings, secrets, folders, ports and metrics that there are. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { load, loadAll } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { variableOfKey } from '../../src/config/config-variables.ts';
import { defaultConfig, loadConfig, settingPaths } from '../../src/config.ts';
import { root } from '../../src/lib/package-root.ts';

const read = (file: string): string => readFileSync(path.join(root, 'ops', file), 'utf8');
const yaml = <T>(file: string): T => load(read(file)) as T;
const variables = new Set(settingPaths().map(variableOfKey));
/** Time that a worker has to end in order once its jobs are handed over, in seconds. */
const GRACE_S = 5;
/** Folders that a worker writes to, or has faces and models in, as paths in the image. */
const folders = ['cache', 'data', 'logs', 'models/optional', 'recordings'].map((folder) => `/faceoff/${folder}`);

/** Variables that a stage of the Dockerfile sets. */
function variablesOf(stage: string): Record<string, string> {
  const text = read('docker/Dockerfile');
  const own = text.slice(text.indexOf(` AS ${stage}\n`)).split('\nFROM ')[0]!;
  return Object.fromEntries([...own.matchAll(/\b(FACEOFF_\w+)=(\S+)/g)].map(([, name, value]) => [name!, value!]));
}
/** What the program finds in the image of server and worker. */
const inImage = {
  faceoff: { ...variablesOf('faceoff'), FACEOFF_SERVER_TOKEN: 'a-token-of-this-test' },
  agent: { ...variablesOf('faceoff'), ...variablesOf('agent') },
};

interface LiveKitFile {
  port: number;
  keys?: unknown;
  redis?: unknown;
  rtc: { udp_port: number; tcp_port: number };
  agents: { target_load: number };
}
const livekit = yaml<LiveKitFile>('cluster/livekit.yaml');

test('livekit.yaml holds no secret, and LiveKit gives jobs to every worker that has room', () => {
  expect([livekit.keys, livekit.redis]).toEqual([undefined, undefined]);
  expect(livekit.agents.target_load).toBe(1);
  // LiveKit's own value, which holds where this file is not used.
  expect(defaultConfig().livekit.maxLoad).toBeLessThanOrEqual(0.7);
});

describe('compose.yaml', () => {
  interface Service {
    environment: Record<string, string | number>;
    image: string;
    build?: { target: string };
    stop_grace_period: string;
    read_only?: boolean;
    tmpfs?: string[];
    volumes?: string[];
    network_mode?: string;
  }
  const { services, secrets, configs } = yaml<{
    services: Record<'faceoff' | 'livekit' | 'redis' | 'agent', Service>;
    secrets: Record<string, { file: string }>;
    configs: Record<string, { content: string }>;
  }>('cluster/compose.yaml');
  const { faceoff, agent } = services;
  const valuesOf = ({ environment }: Service): Record<string, string> =>
    Object.fromEntries(
      Object.entries(environment).map(([name, value]) => [
        name,
        String(value)
          .replace(/\$\{LIVEKIT_URL:-(.*)\}$/, '$1')
          .replace(/\$\{(\w+)[^}]*\}/g, (_text, variable: string) =>
            variable === 'HOST_ADDRESS' ? '192.0.2.10' : '0123456789abcdef0123456789abcdef',
          ),
      ]),
    );

  test('gives server and workers configurations that they accept, with LiveKit where it listens', () => {
    for (const [name, service] of Object.entries({ faceoff, agent })) {
      expect(Object.keys(service.environment).filter((name) => !variables.has(name))).toEqual([]);
      const env = { ...inImage[name as keyof typeof inImage], ...valuesOf(service) };
      const config = loadConfig({ file: path.join(root, 'config.yaml'), env });
      expect(config.livekit.url).toBe(`ws://192.0.2.10:${livekit.port}`);
      expect(config.livekit.key).toBe('faceoff');
    }
    expect(services.livekit.network_mode).toBe('host');
  });

  test('leaves a worker time to hand its jobs over', () => {
    const { drainMs } = loadConfig({ file: path.join(root, 'config.yaml'), env: valuesOf(agent) }).livekit;
    expect(Number.parseInt(agent.stop_grace_period, 10)).toBeGreaterThan(drainMs / 1000 + GRACE_S);
  });

  test('a worker can write to its folders, and to nothing else', () => {
    const mounts = agent.volumes!.map((mount) => mount.split(':')[1]!);
    const temporary = agent.tmpfs!.filter((mount) => mount !== '/tmp');
    expect(temporary.filter((mount) => !mount.endsWith(':uid=1000,gid=1000'))).toEqual([]);
    expect(['/tmp', ...temporary.map((mount) => mount.split(':')[0]!), ...mounts].sort()).toEqual(
      [...folders, '/tmp'].sort(),
    );
    expect(agent.read_only).toBe(true);
    expect(read('docker/Dockerfile')).toContain(` AS ${agent.build!.target}\n`);
  });

  test('has no secret in it, and Prometheus find server and workers', () => {
    expect(secrets.mark!.file).toBe('./mark.key');
    expect(readFileSync(path.join(root, '.gitignore'), 'utf8')).toMatch(/^mark\.key$/m);
    const { content } = configs.prometheus!;
    const of = load(content) as { scrape_configs: { job_name: string; dns_sd_configs?: { port: number }[] }[] };
    expect(of.scrape_configs.map(({ job_name }) => job_name)).toEqual(['faceoff', 'faceoff-agent']);
    expect(of.scrape_configs[1]!.dns_sd_configs![0]!.port).toBe(defaultConfig().livekit.healthPort);
  });
});

describe('the Kubernetes manifests', () => {
  interface Container {
    args: string[];
    env: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }[];
    ports: { name: string; containerPort: number; protocol?: string }[];
    volumeMounts: { name: string; mountPath: string }[];
    resources: { limits: { memory: string } };
    startupProbe: Probe;
    livenessProbe: Probe;
    readinessProbe: Probe;
  }
  interface Probe {
    httpGet: { path: string; port: string };
  }
  interface Manifest {
    kind: string;
    metadata: { name: string };
    data?: Record<string, string>;
    stringData?: Record<string, string>;
    spec: {
      replicas?: number;
      scaleTargetRef: { name: string };
      metrics: { external: { metric: { name: string } } }[];
      template: {
        spec: { terminationGracePeriodSeconds: number; containers: Container[]; volumes: { name: string }[] };
      };
    };
  }
  const all = (file: string): Manifest[] => loadAll(read(`cluster/${file}`)) as Manifest[];
  const one = (file: string, kind: string): Manifest => all(file).find((manifest) => manifest.kind === kind)!;
  const pod = one('agent.yaml', 'Deployment').spec.template.spec;
  const [agent] = pod.containers;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-configmap-'));
  writeFileSync(path.join(folder, 'config.yaml'), one('agent.yaml', 'ConfigMap').data!['config.yaml']!);
  const env = { ...inImage.agent, FACEOFF_LIVEKIT_KEY: 'faceoff', FACEOFF_LIVEKIT_SECRET: 'a-secret' };
  const config = loadConfig({ file: path.join(folder, 'config.yaml'), env });
  rmSync(folder, { recursive: true });

  test('give a worker a configuration that it accepts, and the size that was simulated', () => {
    expect(config.limits.sessions).toBe(20);
    expect(config.pipeline.lanes).toBe(3);
    expect(config.livekit.maxLoad).toBeLessThanOrEqual(livekit.agents.target_load);
    expect(agent!.resources.limits.memory).toBe('4Gi');
    expect(config.memory.rssLimitMb).toBeLessThan(4 * 1024);
    expect(config.livekit.url).toBe(`ws://livekit:${livekit.port}`);
  });

  test('leave a worker time to hand its jobs over', () => {
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(config.livekit.drainMs / 1000 + GRACE_S);
  });

  test('probe a worker where it answers', () => {
    expect(agent!.ports).toEqual([{ name: 'health', containerPort: config.livekit.healthPort }]);
    const paths = [agent!.startupProbe, agent!.livenessProbe, agent!.readinessProbe].map(({ httpGet }) => httpGet);
    expect(paths.map((probe) => probe.path)).toEqual(['/healthz', '/healthz', '/readyz']);
    expect(config.livekit.healthHost).toBe('0.0.0.0');
  });

  test('mount every folder of a worker, its configuration, and /tmp', () => {
    const at = agent!.volumeMounts.map(({ mountPath }) => mountPath).sort();
    expect(at).toEqual([...folders, '/faceoff/data/mark.key', '/etc/faceoff', '/tmp'].sort());
    const volumes = new Set(pod.volumes.map(({ name }) => name));
    expect(agent!.volumeMounts.filter(({ name }) => !volumes.has(name))).toEqual([]);
  });

  test('take every secret from the one that is empty here', () => {
    const { stringData } = one('credentials.yaml', 'Secret');
    const files = ['agent.yaml', 'sfu.yaml', 'redis.yaml', 'server.yaml'];
    const containers = files.flatMap((file) => one(file, 'Deployment').spec.template.spec.containers);
    const refs = containers.flatMap(({ env }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []));
    expect(refs.length).toBeGreaterThan(6);
    expect(refs.filter(({ name, key }) => name !== 'faceoff-cluster' || !(key in stringData!))).toEqual([]);
    const { 'livekit-key': _name, ...secrets } = stringData!;
    expect(Object.values(secrets).join('')).toBe('');
    const own = containers.flatMap(({ env }) => env.map(({ name }) => name)).filter((name) => /^FACEOFF_/.test(name));
    expect(own.filter((name) => !variables.has(name))).toEqual([]);
  });

  test('have LiveKit’s ports, and Redis where LiveKit looks for it', () => {
    const [sfu] = one('sfu.yaml', 'Deployment').spec.template.spec.containers;
    const { port, rtc } = livekit;
    expect(sfu!.ports.map(({ containerPort }) => containerPort)).toEqual([port, rtc.tcp_port, rtc.udp_port]);
    const host = sfu!.env.find(({ name }) => name === 'REDIS_HOST')!.value!;
    expect(host).toBe(`${one('redis.yaml', 'Service').metadata.name}:6379`);
  });

  test('scale the workers by a metric that a rule records, and leave their number to that', () => {
    const { scaleTargetRef, metrics } = one('agent-scale.yaml', 'HorizontalPodAutoscaler').spec;
    expect(scaleTargetRef.name).toBe(one('agent.yaml', 'Deployment').metadata.name);
    expect(one('agent.yaml', 'Deployment').spec.replicas).toBeUndefined();
    const [metric] = metrics.map(({ external }) => external.metric.name);
    expect(read('prometheus/alerts.yml')).toContain(`- record: ${metric}\n`);
    expect(read('cluster/prometheus-adapter.yaml')).toContain(`seriesQuery: ${metric}\n`);
  });
});
