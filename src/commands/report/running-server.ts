/** Asks a server that runs with the same configuration, over its own port. */

import { readFile } from 'node:fs/promises';
import { get as getOverHttp } from 'node:http';
import { get as getOverHttps } from 'node:https';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Config } from '../../config.ts';
import { isLocal, urlOf } from '../../lib/address.ts';
import { METRICS_HOST } from '../../server/http/metrics-routes.ts';

const PATIENCE_MS = 5000;
const MOST_BYTES = 8 * 2 ** 20;

/** Where a program of this machine reaches a server that listens on `host`. */
const reachable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host);

/** The body of `GET /metrics`. @throws Error where no server answers 200. */
export function readMetrics(config: Config): Promise<string> {
  const { host, port } = config.metrics;
  if (port === null) return readFromServer(config, '/metrics');
  return get(`${urlOf(reachable(host ?? METRICS_HOST), port, false)}/metrics`, {});
}

/** The body of a GET request for a path. @throws Error where no server answers 200. */
export async function readFromServer({ server, storage }: Config, at: string): Promise<string> {
  const { host, port, token, certificate } = server;
  const isSecure = certificate !== null || !isLocal(host);
  const own = isSecure
    ? await readFile(certificate ?? path.join(storage.dir, 'https-certificate.pem'), 'utf8').catch(() => '')
    : '';
  return get(`${urlOf(reachable(host), port, isSecure)}${at}`, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    // The server's own certificate is trusted; it need not be made for the loopback address.
    ...(isSecure && { ca: [...rootCertificates, own], checkServerIdentity: () => undefined }),
  });
}

function get(url: string, options: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const ask = url.startsWith('https:') ? getOverHttps : getOverHttp;
    const request = ask(url, { ...options, timeout: PATIENCE_MS }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
        if (text.length > MOST_BYTES) request.destroy(new Error('the answer is too large'));
      });
      answer.once('error', reject);
      answer.once('end', () => {
        if (answer.statusCode === 200) resolve(text);
        else reject(new Error(`it answered ${answer.statusCode}`));
      });
    });
    request.once('timeout', () => request.destroy(new Error(`it did not answer within ${PATIENCE_MS} ms`)));
    // Node's message holds the address.
    request.once('error', (error: NodeJS.ErrnoException) => reject(new Error(error.code ?? error.message)));
  });
}
