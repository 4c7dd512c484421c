/** The files of ops/ by which FaceOff is installed: they name settings, folders, ports and versions that there are. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { load, loadAll } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { variableOfKey } from '../../src/config/config-variables.ts';
import { defaultConfig, loadConfig, settingPaths } from '../../src/config.ts';
import { root } from '../../src/lib/package-root.ts';

type Tree = { [key: string]: unknown };

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const yaml = <T>(file: string): T => load(read(file)) as T;
const variables = new Set(settingPaths().map(variableOfKey));
const config = defaultConfig();
/** Folders of the defaults that FaceOff writes to, as paths in the image. */
const written = [config.storage.dir, config.models.cacheDir, config.recording.dir, config.logging.dir]
  .map((folder) => path.posix.join('/faceoff', folder))
  .concat('/faceoff/models/optional')
  .sort();

test.each(['docker', 'kubernetes', 'systemd'])('every YAML file of ops/%s can be read', (folder) => {
  const names = readdirSync(path.join(root, 'ops', folder)).filter((name) => /\.ya?ml$/.test(name));
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect(loadAll(read(`ops/${folder}/${name}`)), name).not.toEqual([]);
});

describe('the Dockerfile', () => {
  const text = read('ops/docker/Dockerfile');
  /** A stage; `faceoff` is the image, from which the last one is made without a change. */
  const stage = (name: string): string =>
    new RegExp(`^FROM \\S+ AS ${name}$[^]*?(?=^FROM )`, 'm').exec(`${text}\nFROM `)![0];
  const image = stage('faceoff');
  const json = (instruction: string): string[] =>
    JSON.parse(new RegExp(`^ *${instruction} (\\[.*\\])$`, 'm').exec(image)![1]!) as string[];

  test('has a Node that package.json and the contributor’s guide allow', () => {
    const major = Number(/^ARG NODE=(\d+)\.\d+\.\d+-\w+-slim$/m.exec(text)?.[1]);
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    expect(engines.node).toMatch(/^>=[\d.]+$/);
    expect(major).toBeGreaterThan(Math.floor(Number(engines.node.slice(2))));
    expect(/^Node (.*) with npm/m.exec(read('CONTRIBUTING.md'))![1]!.match(/\d+/g)).toContain(String(major));
  });

  test('installs by the lock file and the repository’s .npmrc, so that no install script runs', () => {
    expect(text).toMatch(/^COPY \.npmrc package\.json package-lock\.json \.\/\nRUN .*npm ci$/m);
    expect(text.match(/npm (install|i) /g)).toBe(null);
    expect(read('.npmrc')).toContain('ignore-scripts=true');
  });

  test('makes volumes of every folder that FaceOff writes to, for a user that is not root', () => {
    expect(json('VOLUME').sort()).toEqual(written);
    const names = written.map((folder) => path.posix.relative('/faceoff', folder));
    for (const line of [/mkdir -p (.*) \\$/m, /chown 1000:1000 (.*)$/m])
      expect(line.exec(image)![1]!.split(' ').sort()).toEqual(names.sort());
    expect(image).toMatch(/^USER 1000:1000$/m);
  });

  test('starts the program of package.json without a shell, and ends it by SIGTERM', () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: { faceoff: string } };
    expect(json('ENTRYPOINT')).toEqual(['node', bin.faceoff]);
    expect(json('CMD').slice(-1)).not.toEqual(['npm']);
    expect(image).toMatch(/^STOPSIGNAL SIGTERM$/m);
  });

  test('sets variables that are settings, and opens the port of the defaults', () => {
    const named = text.match(/\bFACEOFF_[A-Z_]+/g)!;
    // The comment that tells what has to be given names the token.
    expect(named).toContain('FACEOFF_SERVER_TOKEN');
    expect(named.filter((name) => !variables.has(name))).toEqual([]);
    const { port } = config.server;
    expect(image).toContain(`FACEOFF_SERVER_PORT=${port}\n`);
    expect(image).toMatch(new RegExp(`^EXPOSE ${port}$`, 'm'));
  });

  test('is built from files that .dockerignore lets through', () => {
    const allowed = read('.dockerignore').match(/(?<=^!).+$/gm)!;
    const needed = [...text.matchAll(/^COPY (?!--)(.*) \S+$/gm)].flatMap(([, names]) => names!.split(' '));
    expect(needed.filter((name) => name !== '.' && !allowed.includes(name))).toEqual([]);
    const copied = /^COPY --from=build (\/faceoff\/package\.json .*) \.\/$/m.exec(image)![1]!.split(' ');
    expect(copied.map((file) => path.posix.basename(file)).filter((name) => !allowed.includes(name))).toEqual([]);
  });
});

describe('compose.yaml', () => {
  interface Service {
    environment?: Record<string, string | number>;
    volumes?: string[];
    ports?: string[];
    read_only?: boolean;
    command?: string[];
    configs?: { source: string; target: string }[];
  }
  const { services, volumes, configs } = yaml<{
    services: Record<string, Service>;
    volumes: Tree;
    configs: Record<string, { content: string }>;
  }>('ops/docker/compose.yaml');
  const { faceoff, prometheus, grafana, coturn } = services as Record<string, Service>;
  const values = Object.entries(faceoff!.environment!).map(([name, value]): [string, string] => [
    name,
    String(value).replace(/\$\{(\w+)[^}]*\}/g, (_text, variable: string) =>
      variable === 'HOST_ADDRESS' ? '192.0.2.10' : '0123456789abcdef',
    ),
  ]);

  test('gives FaceOff a configuration that it accepts', () => {
    const env = { FACEOFF_SERVER_HOST: '0.0.0.0', ...Object.fromEntries(values) };
    const { webrtc, server, limits } = loadConfig({ file: path.join(root, 'config.yaml'), env });
    expect(webrtc.announce).toEqual(['192.0.2.10']);
    expect(webrtc.iceServers).toEqual([{ urls: ['turn:192.0.2.10:3478'], secret: '0123456789abcdef' }]);
    expect(faceoff!.ports).toEqual([
      `${server.port}:${server.port}`,
      `${webrtc.portMin}-${webrtc.portMax}:${webrtc.portMin}-${webrtc.portMax}/udp`,
    ]);
    expect(webrtc.portMax - webrtc.portMin + 1).toBeGreaterThanOrEqual(limits.sessions + limits.viewers);
    expect(coturn!.command).toContain('--listening-port=3478');
  });

  test('keeps every folder that FaceOff writes to in a volume, and nothing else can be written', () => {
    const mounts = faceoff!.volumes!.map((mount) => mount.split(':'));
    expect(mounts.map(([, at]) => at).sort()).toEqual(written);
    expect(mounts.filter(([name]) => !(name! in volumes))).toEqual([]);
    expect(faceoff!.read_only).toBe(true);
  });

  test('has Prometheus read the metrics where FaceOff serves them, and Grafana find Prometheus', () => {
    const environment = faceoff!.environment!;
    expect(configs.prometheus!.content).toContain(`'faceoff:${environment.FACEOFF_METRICS_PORT}'`);
    expect(environment.FACEOFF_METRICS_HOST).toBe('0.0.0.0');
    expect(configs['grafana-datasource']!.content).toContain("'http://prometheus:9090'");
  });

  test('mounts files and content that there are', () => {
    const mounts = [...prometheus!.volumes!, ...grafana!.volumes!].map((mount) => mount.split(':')[0]!);
    const files = mounts.filter((file) => file.startsWith('.')).map((file) => path.join(root, 'ops/docker', file));
    expect(files.length).toBe(2);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
    for (const { source } of [...prometheus!.configs!, ...grafana!.configs!])
      expect(load(configs[source]!.content), source).toBeTypeOf('object');
  });
});

describe('the Kubernetes manifests', () => {
  const names = (yaml('ops/kubernetes/kustomization.yaml') as { resources: string[] }).resources;
  const { data } = yaml<{ data: Record<string, string> }>('ops/kubernetes/config.yaml');
  const pod = yaml<{
    spec: {
      template: {
        spec: {
          terminationGracePeriodSeconds: number;
          containers: {
            args: string[];
            env: { name: string }[];
            ports: { name: string; containerPort: number }[];
            volumeMounts: { name: string; mountPath: string; subPath?: string }[];
            resources: { limits: { memory: string } };
          }[];
          volumes: { name: string }[];
        };
      };
    };
  }>('ops/kubernetes/deployment.yaml').spec.template.spec;
  const [container] = pod.containers;

  test('are files that there are', () => {
    const files = readdirSync(path.join(root, 'ops/kubernetes'));
    expect(names.filter((name) => !files.includes(name))).toEqual([]);
    expect(files.filter((name) => !names.includes(name)).sort()).toEqual(['autoscale.yaml', 'kustomization.yaml']);
  });

  test('give FaceOff a configuration that it accepts, with ports for all and memory below the limit', () => {
    const tree = load(data['config.yaml']!) as Record<string, Tree>;
    const set = Object.entries(tree).flatMap(([section, settings]) =>
      Object.entries(settings).map(([key, value]) => `${section}.${key}=${JSON.stringify(value)}`),
    );
    const { webrtc, limits, memory } = loadConfig({ file: path.join(root, 'no-such-file.yaml'), set });
    expect(webrtc.portMax - webrtc.portMin + 1).toBeGreaterThanOrEqual(limits.sessions + limits.viewers);
    expect(container!.resources.limits.memory).toBe('4Gi');
    expect(memory.rssLimitMb).toBeLessThan(4 * 1024);
    expect(container!.env.filter(({ name }) => !variables.has(name))).toEqual([]);
  });

  test('mount every folder that FaceOff writes to, its configuration, and /tmp', () => {
    const at = container!.volumeMounts.map(({ mountPath }) => mountPath).sort();
    expect(at).toEqual([...written, '/etc/faceoff', '/tmp'].sort());
    const volumes = new Set(pod.volumes.map(({ name }) => name));
    expect(container!.volumeMounts.filter(({ name }) => !volumes.has(name))).toEqual([]);
  });

  test('mount the configuration so that it can change, and have FaceOff read it with the folders of the image', () => {
    expect(container!.volumeMounts.find(({ name }) => name === 'config')).toEqual({
      name: 'config',
      mountPath: '/etc/faceoff',
      readOnly: true,
    });
    expect(container!.args).toEqual(['serve', '--config', '/etc/faceoff/config.yaml']);
    const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-configmap-'));
    writeFileSync(path.join(folder, 'config.yaml'), data['config.yaml']!);
    const { storage, models, recording, logging } = loadConfig({ file: path.join(folder, 'config.yaml') });
    rmSync(folder, { recursive: true });
    const folders = [storage.dir, models.cacheDir, recording.dir, logging.dir, `${models.dir}/optional`];
    expect(folders.sort()).toEqual(written);
  });

  test('reach the port of the defaults, and leave time to end in order', () => {
    expect(container!.ports.map(({ containerPort }) => containerPort)).toEqual([config.server.port]);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(8);
  });

  test('scale by a metric that FaceOff has', () => {
    expect(read('ops/kubernetes/autoscale.yaml')).toContain('name: faceoff_sessions\n');
    expect(read('src/metrics.ts')).toContain("'faceoff_sessions'");
  });
});

test('the systemd unit starts the program of package.json with settings that it accepts', () => {
  const unit = read('ops/systemd/faceoff.service');
  expect(unit).toMatch(
    /^ExecStart=\/usr\/bin\/node \/opt\/faceoff\/dist\/main\.js serve --config \/etc\/faceoff\/config\.yaml$/m,
  );
  const { storage, recording, models, logging } = loadConfig({ file: path.join(root, 'ops/systemd/config.yaml') });
  // StateDirectory, CacheDirectory and LogsDirectory, all faceoff: the folders that the service may write to.
  for (const folder of [storage.dir, recording.dir, models.cacheDir, logging.dir])
    expect(folder).toMatch(/^\/var\/(lib|cache|log)\/faceoff(\/|$)/);
});
