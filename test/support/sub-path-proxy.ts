/** A proxy that serves a server under a path, as nginx and others do. */

import http from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A proxy of a test. */
export interface SubPathProxy {
  /** Address under which the server is found, without a slash at its end. */
  url: string;
  close(): Promise<void>;
}

/**
 * @param target address of the server.
 * @param removes whether the proxy removes the path before it passes a request on.
 * @param headers what the proxy adds to each request.
 */
export async function startSubPathProxy(
  target: string,
  {
    path = '/face',
    removes = true,
    headers = {},
  }: { path?: string; removes?: boolean; headers?: Record<string, string> },
): Promise<SubPathProxy> {
  const { hostname, port } = new URL(target);
  const inner = (url: string): string | null =>
    url.startsWith(`${path}/`) ? (removes ? url.slice(path.length) : url) : null;
  const proxy = http.createServer((request, reply) => {
    const url = inner(request.url!);
    if (url === null) {
      reply.writeHead(404).end('another program');
      return;
    }
    const options = { hostname, port, path: url, method: request.method!, headers: { ...request.headers, ...headers } };
    const passed = http.request(options, (answer) => {
      reply.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(reply);
    });
    passed.on('error', () => reply.destroy());
    request.pipe(passed);
  });
  proxy.on('upgrade', (request, socket: Socket, head) => {
    const url = inner(request.url!);
    const server = connect(Number(port), hostname, () => {
      const lines = Object.entries({ ...request.headers, ...headers }).map(([name, value]) => `${name}: ${value}`);
      server.write([`GET ${url} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
      server.write(head);
      server.pipe(socket).pipe(server);
    });
    server.on('error', () => socket.destroy());
    socket.on('error', () => server.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${path}`,
    close: () =>
      new Promise((resolve) => {
        proxy.close(() => resolve());
        proxy.closeAllConnections();
      }),
  };
}
