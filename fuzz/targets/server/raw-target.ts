import { connect } from 'node:net';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import { Defect, type Target } from '../../run/target.ts';
import { checkAnswer, FuzzServer } from './fuzz-server.ts';

const REQUESTS = [
  'GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
  'POST /api/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"token":"x"}',
  'PATCH /api/streams/seen/settings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"strength": 0.5\r\n1\r\n}\r\n0\r\n\r\n',
  'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x85abcd\x12\x34\x56\x78\x9a',
  'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
  'OPTIONS * HTTP/1.0\r\n\r\n',
];
const TERMS = [
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'HTTP/2.0',
  'CONNECT',
  'Expect: 100-continue',
  '\x81',
  '\x88',
  '\xff',
  ' HTTP/1.1',
];
const samples = REQUESTS.map((text) => Buffer.from(text, 'latin1'));

/** What is no request, or hardly one, and frames of WebSockets: bytes on a connection. */
export const rawTarget: Target = {
  name: 'raw',
  reads: 'bytes on a connection: HTTP, WebSocket frames',
  share: 1,
  parallel: 8,
  growthBytes: 160 * 2 ** 20,
  async open(folder) {
    const server = await FuzzServer.start(folder);
    return {
      make: (random) =>
        random.chance(0.5)
          ? mutatedBytes(samples, random)
          : Buffer.from(mutatedText(REQUESTS, random, TERMS), 'latin1'),
      async feed(input) {
        await server.ready();
        const answer = await exchange(server.port, input);
        server.check();
        const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
        if (/HTTP\/1\.1 500/.test(answer)) throw new Defect('status 500', answer.slice(0, 500));
        const type = /^content-type: (.*)$/im.exec(head)?.[1] ?? '';
        if (status >= 400 && /json/.test(type) && !/chunked/i.test(head))
          checkAnswer(
            { method: body === '' ? 'HEAD' : 'GET', path: '/' },
            {
              status,
              headers: { 'content-type': type },
              body: Buffer.from(body.split(/HTTP\/1\.1 \d/)[0]!, 'latin1'),
            },
          );
        return status > 0 && status < 400;
      },
      usedBytes: () => server.usedBytes(),
      close: () => server.close(),
    };
  },
};

/** Sends bytes, closes the connection's own half, and reads what comes until the server closes the other. */
function exchange(port: number, input: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () => {
      const half = input.length >> 1;
      socket.write(input.subarray(0, half));
      socket.end(input.subarray(half));
    });
    socket.on('data', (data) => {
      if (said.length < 1 << 16) said += data.toString('latin1');
    });
    // A connection that is reset is refused.
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(said));
  });
}
