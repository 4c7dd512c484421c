import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config.ts';
import { messageOf } from '../../shared/errors.ts';
import { type Certificate, type CertificateLog, certificateOf, isGoodFor } from './certificate.ts';

/** Certificates are renewed weeks before they expire. */
const CHECK_MS = 3_600_000;

/** What a renewal works on. */
export interface RenewalParts {
  config: Pick<Config, 'server' | 'storage'>;
  /** The certificate in use. */
  certificate: Certificate;
  /** Takes a new one into use, for connections from then on. */
  use(certificate: Certificate): void;
  log: CertificateLog & { info(facts: object, message: string): void };
}

/**
 * Follows the certificate over its life: configured files that another program renews, and the self-made one, which is
 * replaced before it expires and where `server.names` has changed. Looks once an hour; a certificate that cannot be read leaves the one in use.
 */
export class CertificateRenewal {
  readonly #parts: RenewalParts;
  readonly #timer: NodeJS.Timeout;
  #current: Certificate;
  /** `server.names` for which a certificate was last looked for. */
  #names: readonly string[];

  constructor(parts: RenewalParts) {
    this.#parts = parts;
    this.#current = parts.certificate;
    this.#names = parts.config.server.names;
    this.#timer = setInterval(() => void this.check(), CHECK_MS).unref();
  }

  /** Looks now. Never throws. */
  async check(): Promise<void> {
    const { config, use, log } = this.#parts;
    const { certificate, names } = config.server;
    const isRenamed = !isDeepStrictEqual(names, this.#names);
    this.#names = names;
    // A self-made one that could not be kept would be made anew every time.
    if (certificate === null && !isRenamed && isGoodFor(this.#current.cert, [])) return;
    try {
      const found = await certificateOf(config, log);
      if (found === null || found.cert === this.#current.cert) return;
      use(found);
      this.#current = found;
      log.info({}, 'the certificate was renewed');
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'the new certificate cannot be used; the one before stays');
    }
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#timer);
  }
}
