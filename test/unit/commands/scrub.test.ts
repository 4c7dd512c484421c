import { expect, test } from 'vitest';
import { scrubber, shareableConfig } from '../../../src/commands/report/scrub.ts';
import { defaultConfig } from '../../../src/config.ts';

const scrub = scrubber({ secrets: ['hush-hush', 'true'], home: '/home/ada', hostname: 'adas-laptop' });

test.each([
  ['a token of the configuration', 'x hush-hush y', 'x [hidden] y'],
  ['a bearer token', 'authorization: Bearer abcdef"', 'authorization: Bearer [hidden]"'],
  ['a token in an address', 'GET /?token=abcdef&x=1', 'GET /?token=[hidden]&x=1'],
  ['a webhook’s secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', '[hidden]'],
  ['an IPv4 address', 'from 192.0.2.7:8080, 10.0.0.1', 'from [address]:8080, [address]'],
  ['an IPv6 address', 'from 2001:db8::7 and [fe80::1]:80', 'from [address] and [[address]]:80'],
  ['a host of an address', 'at https://face.example:8080/x', 'at https://[address]:8080/x'],
  ['the home folder', '"/home/ada/faceoff/data"', '"~/faceoff/data"'],
  ['the machine’s name', 'on adas-laptop', 'on [address]'],
  ['a candidate', 'a=candidate:1 1 udp 5 192.0.2.7 9 typ host', 'a=candidate:[hidden]'],
  ['a session description', '"v=0\\r\\no=- 1 2 IN IP4 192.0.2.7\\r\\n"', '"[sdp]"'],
])('%s is taken out', (_what, text, clean) => {
  expect(scrub(text)).toBe(clean);
});

test.each([
  ['times', '2026-11-29T14:30:05.120Z 14:30:05'],
  ['versions', 'ONNX Runtime 1.29.0, driver 580.159.03, libnvinfer.so.10'],
  ['loopback', 'ready at http://127.0.0.1:8080, [::1]:80, http://localhost:1'],
  ['ids', '"session":"0c5f1d2e-5f8b-4c4e-9a6d-4b7e2c1d3f4a"'],
  ['short texts that happen to be secret', '{"comesAlong": true}'],
])('%s stay', (_what, text) => {
  expect(scrub(text)).toBe(text);
});

test('the name of a machine that is a common word stays', () => {
  expect(scrubber({ secrets: [], home: '/', hostname: 'node' })('/usr/bin/node')).toBe('/usr/bin/node');
});

test('the configuration to share has neither secrets nor hosts', () => {
  const standard = defaultConfig();
  const config = {
    ...standard,
    server: { ...standard.server, host: '192.0.2.7', names: ['hush.example'], token: 'hush-hush-hush-hush' },
    webrtc: {
      ...standard.webrtc,
      announce: ['hush.example'],
      iceServers: [{ urls: ['turn:hush.example:3478'], secret: 'hush' }],
    },
    metrics: { ...standard.metrics, host: '192.0.2.8', port: 9464 },
    hooks: {
      ...standard.hooks,
      webhooks: [{ url: 'https://hush.example/x', events: ['fault' as const], timeoutMs: 1000 }],
      commands: [{ run: ['/bin/a', 'hush'], events: ['fault' as const], timeoutMs: 1000 }],
    },
  };
  const text = JSON.stringify(
    shareableConfig({
      ...config,
      server: { ...config.server, origins: [...standard.server.origins, 'https://hush.example'] },
    }),
  );
  expect(text).not.toMatch(/hush|192\.0\.2/);
  expect(text).toContain('chrome-extension:');
  expect(shareableConfig(standard)).toEqual(standard);
});
