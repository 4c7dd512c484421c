import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { variableOfKey } from '../../src/config/config-variables.ts';
import { defaultConfig, liveSettings, loadConfig, settingPaths } from '../../src/config.ts';
import { root } from '../../src/lib/package-root.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const missing = path.join(folder, 'missing.yaml');
const shipped = path.join(root, 'config.yaml');

function written(text: string): string {
  const file = path.join(folder, 'config.yaml');
  writeFileSync(file, text);
  return file;
}

test('the shipped config.yaml equals the defaults', () => {
  expect(loadConfig({ file: shipped })).toEqual(loadConfig({ file: path.join(root, 'missing.yaml') }));
});

test('the shipped config.yaml names every setting, with a line of meaning', () => {
  const lines = readFileSync(shipped, 'utf8').split('\n');
  let section = '';
  const documented = new Set<string>();
  for (const line of lines) {
    section = line.match(/^(\w+):$/)?.[1] ?? section;
    const key = line.match(/^ {2}(\w+): \S.* # .{10,}$/)?.[1];
    if (key !== undefined) documented.add(`${section}.${key}`);
  }
  expect([...documented].sort()).toEqual(settingPaths().sort());
});

test('the shipped config.yaml marks what a running server takes over', () => {
  const marked: string[] = [];
  let section = '';
  for (const line of readFileSync(shipped, 'utf8').split('\n')) {
    section = line.match(/^(\w+):$/)?.[1] ?? section;
    const key = line.match(/^ {2}(\w+): \S.* # \(live\) /)?.[1];
    if (key !== undefined) marked.push(`${section}.${key}`);
  }
  expect(marked).toEqual([...liveSettings()]);
  // Settings that are allowed only together are all live, or none is.
  for (const group of [
    ['server.host', 'server.token', 'server.certificate', 'server.key'],
    ['webrtc.portMin', 'webrtc.portMax'],
    ['memory.releaseAt', 'memory.degradeAt'],
    ['hooks.webhooks', 'hooks.secret'],
  ])
    expect(new Set(group.map((key) => liveSettings().has(key))).size, String(group)).toBe(1);
});

test('a missing file means defaults', () => {
  expect(loadConfig({ file: missing }).server).toEqual(defaultConfig().server);
});

test('file, environment and command line win in that order', () => {
  const file = written('server:\n  port: 1001\n  host: 127.0.0.2\nswap:\n  shape: 0.1\n');
  expect(loadConfig({ file }).server.port).toBe(1001);
  const env = { FACEOFF_SERVER_PORT: '1002', FACEOFF_SWAP_SHAPE: '0.2', HOME: 'ignored' };
  expect(loadConfig({ file, env }).server.port).toBe(1002);
  const config = loadConfig({ file, env, set: ['server.port=1003'] });
  expect(config.server).toMatchObject({ host: '127.0.0.2', port: 1003, names: [] });
  expect(config.swap.shape).toBe(0.2);
});

test('a section whose settings are all commented out keeps its defaults', () => {
  expect(loadConfig({ file: written('server:\n  # port: 1\nswap:\n  shape: 0.1\n') }).server).toEqual(
    defaultConfig().server,
  );
});

test.each(['', '\n', '# server:\n#   port: 1\n', '---\n'])(
  'a file without a setting keeps the defaults: %j',
  (text) => {
    expect(loadConfig({ file: written(text), isRequired: true }).server).toEqual(defaultConfig().server);
  },
);

test('a variable is text where text is wanted, and a number or list where that is', () => {
  const env = {
    FACEOFF_SWAP_FACE: '123',
    FACEOFF_PIPELINE_LANES: '2',
    FACEOFF_METRICS_ENABLED: 'false',
    FACEOFF_SERVER_HOST: '::1',
    FACEOFF_WEBRTC_ICE_SERVERS: '[{ urls: ["stun:a.example"] }]',
  };
  const config = loadConfig({ file: missing, env });
  expect(config.swap.face).toBe('123');
  expect(config.pipeline.lanes).toBe(2);
  expect(config.metrics.enabled).toBe(false);
  expect(config.server.host).toBe('::1');
  expect(config.webrtc.iceServers).toEqual([{ urls: ['stun:a.example'] }]);
});

test('variables by which Kubernetes and Docker tell where a service is are none of its settings', () => {
  const env = {
    FACEOFF_SERVICE_HOST: '10.0.0.7',
    FACEOFF_SERVICE_PORT: '8080',
    FACEOFF_SERVICE_PORT_HTTP: '8080',
    FACEOFF_PORT: 'tcp://10.0.0.7:8080',
    FACEOFF_PORT_8080_TCP: 'tcp://10.0.0.7:8080',
    FACEOFF_PORT_8080_TCP_ADDR: '10.0.0.7',
    FACEOFF_NAME: '/web/faceoff',
    FACEOFF_ENV_PATH: '/bin',
    // Of services that are called "faceoff-server", "faceoff-metrics" and "faceoff-livekit".
    FACEOFF_SERVER_SERVICE_HOST: '10.0.0.8',
    FACEOFF_SERVER_SERVICE_PORT_HTTP: '80',
    FACEOFF_SERVER_PORT: 'tcp://10.0.0.8:80',
    FACEOFF_SERVER_PORT_80_TCP_PROTO: 'tcp',
    FACEOFF_METRICS_PORT: 'tcp://[fd00::9]:9090',
    FACEOFF_LIVEKIT_PORT_7881_UDP_ADDR: 'fd00::9',
    FACEOFF_SERVER_NAME: '/web/faceoff-server',
  };
  expect(loadConfig({ file: missing, env })).toEqual(loadConfig({ file: missing }));
  expect(() => loadConfig({ file: missing, env: { FACEOFF_PORT: '8080' } })).toThrow(/FACEOFF_PORT is not a setting/);
  expect(() => loadConfig({ file: missing, env: { FACEOFF_SERVER_NAME: 'a.example' } })).toThrow(
    /did you mean FACEOFF_SERVER_NAMES/,
  );
});

test('a file that a person names has to be there', () => {
  expect(() => loadConfig({ file: missing, isRequired: true })).toThrow(/there is no such file/);
});

test('relative paths start at the file', () => {
  expect(loadConfig({ file: written('models:\n  dir: ./mine\n') }).models.dir).toBe(path.join(folder, 'mine'));
});

test('the certificate is found from the file, too', () => {
  const { certificate, key } = loadConfig({ file: written('server:\n  certificate: a.pem\n  key: b.pem\n') }).server;
  expect([certificate, key]).toEqual([path.join(folder, 'a.pem'), path.join(folder, 'b.pem')]);
});

test('a variable is named as its setting', () => {
  expect(variableOfKey('webrtc.connectTimeoutMs')).toBe('FACEOFF_WEBRTC_CONNECT_TIMEOUT_MS');
});

test('a list in a variable or on the command line needs no brackets', () => {
  const env = { FACEOFF_SERVER_NAMES: 'a.example, b.example', FACEOFF_METRICS_STAGE_BUCKETS_MS: '1,2,5' };
  const config = loadConfig({ file: 'none.yaml', env, set: ['server.origins=https://one.example'] });
  expect(config.server.names).toEqual(['a.example', 'b.example']);
  expect(config.metrics.stageBucketsMs).toEqual([1, 2, 5]);
  expect(config.server.origins).toEqual(['https://one.example']);
});

test('an empty variable is none, but for a secret, which may not be lost', () => {
  const env = { FACEOFF_SERVER_NAMES: '', FACEOFF_LIMITS_SESSIONS: '', FACEOFF_SWAP_FACE: '', FACEOFF_LOGGING_DIR: '' };
  expect(loadConfig({ file: 'none.yaml', env })).toEqual(loadConfig({ file: 'none.yaml' }));
  for (const secret of ['FACEOFF_SERVER_TOKEN', 'FACEOFF_FACES_KEY'])
    expect(() => loadConfig({ file: 'none.yaml', env: { [secret]: '' } }), secret).toThrow(secret);
});

describe('refused, naming the key and what is allowed', () => {
  test.each([
    ['an unknown section', 'sever:\n  port: 1\n', /sever: there is no such setting; did you mean server\?/],
    [
      'an unknown key',
      'server:\n  prot: 1\n',
      /server\.prot: there is no such setting; did you mean port\? Allowed here: host, port/,
    ],
    ['a wrong type', 'server:\n  port: many\n', /server\.port: must be a number \(it is "many"\)/],
    ['out of range', 'server:\n  port: 70000\n', /server\.port: .*65535/],
    ['a choice that is none', 'swap:\n  choice: magic\n', /swap\.choice: .*"largest"\|"all"/],
    ['a name no model has', 'swap:\n  engine: No such\n', /swap\.engine: must be the name of a model/],
    ['a section that is none', 'server: 8080\n', /server: must be a mapping/],
    ['text for a list', 'webrtc:\n  iceServers: stun\n', /webrtc\.iceServers: must be a list/],
    ['bit rates out of order', 'webrtc:\n  minKbps: 9000\n', /webrtc\.startKbps: must lie between/],
    ['buckets out of order', 'metrics:\n  stageBucketsMs: [1, 3, 2]\n', /metrics\.stageBucketsMs: must rise/],
    ['a host for metrics that have no port', 'metrics:\n  host: 0.0.0.0\n', /metrics\.host: needs metrics\.port/],
    [
      'a port for metrics that are off',
      'metrics:\n  enabled: false\n  port: 9464\n',
      /metrics\.port: serves nothing while metrics\.enabled/,
    ],
    ['one port for two', 'metrics:\n  port: 8080\n', /metrics\.port: must not be server\.port \(8080\)/],
    ['memory thresholds out of order', 'memory:\n  releaseAt: 0.99\n', /memory\.releaseAt: must not be above/],
    ['ports out of order', 'webrtc:\n  portMin: 50000\n', /webrtc\.portMin: must not be above/],
    [
      'a shared port inside the range',
      'webrtc:\n  portMin: 41000\n  portMax: 41009\n  h264Port: 41009\n',
      /webrtc\.h264Port: must lie outside portMin to portMax \(41000 to 41009\)/,
    ],
    [
      'a host for others without a token',
      'server:\n  host: 0.0.0.0\n',
      /server\.token: must be set where server\.host/,
    ],
    ['a short token', 'server:\n  token: secret-word\n', /server\.token: must have 16 .*\(not shown\)/],
    ['half a certificate', 'server:\n  key: a.pem\n', /server\.certificate: must be set together/],
    ['an origin with a path', 'server:\n  origins: ["https://a.example/x"]\n', /server\.origins\.0: must be an origin/],
    ['broken YAML, with its line', 'server:\n  port: 1\n  host: [\n', /config\.yaml:[34]:\d+: not valid YAML/],
    ['several documents', 'server:\n  port: 1\n---\nserver:\n  port: 2\n', /not valid YAML.*several documents/],
    [
      'a key given twice',
      'server:\n  port: 1\n  port: 2\n',
      /config\.yaml:3:3: not valid YAML: duplicated mapping key/,
    ],
    ['a key of another section', 'server:\n  sessions: 4\n', /server\.sessions: .* did you mean limits\.sessions\?/],
    [
      'a key like no other',
      'server:\n  zzzzzzzz: 1\n',
      /server\.zzzzzzzz: there is no such setting\. Allowed here: host/,
    ],
    ['no settings at all', '- 1\n- 2\n', /must hold sections/],
  ])('%s', (_what, text, message) => {
    expect(() => loadConfig({ file: written(text) })).toThrow(message);
  });

  test.each([
    ['a value', 'server:\n  # a comment\n  port: many\n', 'config.yaml:3:3: server.port:'],
    ['an unknown key', 'server: { host: ::1, prot: 1 }\n', 'config.yaml:1:22: server.prot:'],
    ['an unknown section', '# a comment\n\nsever:\n  port: 1\n', 'config.yaml:3:1: sever:'],
    [
      'an item of a list',
      'webrtc:\n  iceServers:\n    - urls: stun:a\n    - urls: [http://b]\n',
      'config.yaml:4:14: webrtc.iceServers.1.urls.0:',
    ],
    [
      'what is not there, by its section',
      'webrtc:\n  maxKbps: 200\nserver:\n  host: 0.0.0.0\n',
      'config.yaml:3:1: server.token:',
    ],
    ['a file of Windows', 'server:\r\n  port: 1\r\n  host: 5\r\n', 'config.yaml:3:3: server.host:'],
  ])('with the place of %s', (_what, text, message) => {
    expect(() => loadConfig({ file: written(text) })).toThrow(message);
  });

  test('with the variable or the option that it comes from', () => {
    const file = written('server:\n  port: 1\n');
    expect(() => loadConfig({ file, env: { FACEOFF_SERVER_PORT: 'x' } })).toThrow('FACEOFF_SERVER_PORT: server.port:');
    expect(() => loadConfig({ file, set: ['server.port=x'] })).toThrow('--set: server.port:');
  });

  test.each([
    ['a broken line beside a token', 'server:\n  token: hunter2hunter2hunter2\n  host: [\n'],
    ['a list that is a mapping', 'webrtc:\n  iceServers: { urls: turn:a, credential: hunter2hunter2hunter2 }\n'],
    ['an unknown key', 'server:\n  tokn: hunter2hunter2hunter2\n'],
    ['a token of spaces', 'server:\n  token: hunter2hunter2 hunter2\n'],
  ])('without the secret in %s', (_what, text) => {
    expect(() => loadConfig({ file: written(text) })).toThrow(/^((?!hunter2).)*$/s);
  });

  test('all problems at once', () => {
    expect(() => loadConfig({ file: written('server:\n  port: x\nswap:\n  shape: 9\n') })).toThrow(
      /server\.port.*swap\.shape/s,
    );
    expect(() =>
      loadConfig({
        file: written('swap:\n  shape: 9\n'),
        env: { FACEOFF_A: '1', FACEOFF_B: '2', FACEOFF_SERVER_PORT: 'x' },
        set: ['no.such=1'],
      }),
    ).toThrow(/FACEOFF_A.*FACEOFF_B.*no\.such.*server\.port.*swap\.shape/s);
  });

  test('variables and assignments that are no settings', () => {
    expect(() => loadConfig({ file: missing, env: { FACEOFF_SERVER_PROT: '1' } })).toThrow(
      /FACEOFF_SERVER_PROT is not a setting; did you mean FACEOFF_SERVER_PORT\?/,
    );
    expect(() => loadConfig({ file: missing, set: ['server.prot=1'] })).toThrow(
      /server\.prot; did you mean server\.port\?/,
    );
    expect(() => loadConfig({ file: missing, set: ['nonsense'] })).toThrow(/section\.key=value/);
  });
});

test('a value whose length cannot be compared is refused as every other one', () => {
  const odd = '{length: {toString: 1}}';
  for (const text of [
    `server: {host: ${odd}}`,
    `webrtc: {iceServers: [{urls: ${odd}}]}`,
    `metrics: {stageBucketsMs: ${odd}}`,
    'metrics: {stageBucketsMs: []}',
  ])
    expect(() => loadConfig({ file: written(text) }), text).toThrow(expect.objectContaining({ code: 'bad_config' }));
});

test('a value that holds itself, or doubles with every line, is refused with its name', () => {
  const refused = (text: string): void =>
    expect(() => loadConfig({ file: written(text) })).toThrow(/swap\.face: .{1,400}$/m);
  refused('swap:\n  face: &a [*a]\n');
  const levels = Array.from({ length: 40 }, (_, n) => `&a${n + 1} [*a${n}, *a${n}]`).join(', ');
  refused(`swap:\n  face: [&a0 [x], ${levels}]\n`);
});
