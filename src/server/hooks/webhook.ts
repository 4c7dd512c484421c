import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { WebhookSettings } from '../../config/hook-settings.ts';
import type { Logger } from '../../lib/log.ts';
import type { DeliveryResult, Ending, Hook } from './delivery-queue.ts';
import type { ServerEvent } from './event-schemas.ts';
import { signedHeaders } from './webhook-signature.ts';

/** What a webhook needs besides its settings. */
export interface WebhookParts {
  /** Where it is in config.yaml, below `hooks`. The log has this name, as an address does not belong there. */
  name: string;
  secret: string;
  /** How long a delivery is repeated, in milliseconds. */
  retryForMs: number;
  log: Logger;
  /** Called before every further attempt. */
  onRetry(event: ServerEvent): void;
}

/** How an attempt ended: accepted, refused for good, or to be repeated after a pause that the receiver may ask for. */
type Attempt = { state: 'accepted' } | { state: 'refused' | 'failed'; why: string; afterMs?: number };

/** Pause before the second attempt; it doubles with every further one. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;
/** Pauses are longer by a random share of up to so much, so that receivers are not asked by all servers at once. */
const JITTER = 0.2;
/** Why an attempt was aborted that took too long. */
const LATE = Symbol('late');
/** Refusals that may pass: time-out, too early, too many requests. */
const PASSING = new Set([408, 425, 429]);

/**
 * Posts events to an address as JSON, signed as the Standard Webhooks specification says. An attempt is repeated with
 * growing pauses while the receiver cannot be reached, is too slow or answers 5xx; another 4xx is final, and redirections are
 * not followed.
 */
export class Webhook implements Hook {
  readonly name: string;
  readonly events: readonly string[];
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #parts: WebhookParts;
  /** Whether the last attempt failed, so that an outage is logged once. */
  #isDown = false;

  constructor({ url, events, timeoutMs }: WebhookSettings, parts: WebhookParts) {
    this.name = parts.name;
    this.events = events;
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    this.#parts = parts;
  }

  async deliver(event: ServerEvent, { stopping, over }: Ending): Promise<DeliveryResult> {
    const { retryForMs, onRetry } = this.#parts;
    const id = `msg_${randomUUID().replaceAll('-', '')}`;
    const body = JSON.stringify(event);
    const giveUpAtMs = performance.now() + retryForMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
      const isLast = stopping.aborted;
      const attempt = await this.#post(id, body, over);
      if (over.aborted && attempt.state !== 'accepted') return 'dropped';
      this.#note(event, attempt);
      if (attempt.state === 'accepted') return 'delivered';
      if (attempt.state === 'refused') return 'failed';
      const waitMs = Math.max(attempt.afterMs ?? 0, pauseMs * (1 + JITTER * Math.random()));
      if (performance.now() + waitMs > giveUpAtMs) return 'failed';
      if (isLast) return 'dropped';
      await delay(waitMs, undefined, { signal: stopping }).catch(() => undefined);
      onRetry(event);
    }
  }

  async #post(id: string, body: string, over: AbortSignal): Promise<Attempt> {
    const timestampS = Math.floor(Date.now() / 1000);
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'FaceOff',
      ...signedHeaders(this.#parts.secret, { id, timestampS, body }),
    };
    const attempt = new AbortController();
    const { signal } = attempt;
    const end = (): void => attempt.abort();
    const timer = setTimeout(() => attempt.abort(LATE), this.#timeoutMs);
    over.addEventListener('abort', end);
    try {
      if (over.aborted) end();
      const answer = await fetch(this.#url, { method: 'POST', headers, body, signal, redirect: 'manual' });
      // The status says all; an answer without end must not hold the connection.
      await answer.body?.cancel();
      const { status, ok } = answer;
      if (ok) return { state: 'accepted' };
      const isFinal = status >= 400 && status < 500 && !PASSING.has(status);
      const why = `it answered ${status}`;
      if (isFinal || (status >= 300 && status < 400)) return { state: 'refused', why };
      return { state: 'failed', why, afterMs: retryAfterMs(answer.headers.get('retry-after')) };
    } catch (error) {
      const isLate = signal.reason === LATE;
      return { state: 'failed', why: isLate ? `it did not answer within ${this.#timeoutMs} ms` : reasonOf(error) };
    } finally {
      clearTimeout(timer);
      over.removeEventListener('abort', end);
    }
  }

  /** Logs a refusal, the beginning of an outage, and its end. */
  #note({ type }: ServerEvent, attempt: Attempt): void {
    const { log, name } = this.#parts;
    const facts = { hook: name, event: type };
    if (attempt.state === 'refused') log.warn({ ...facts, why: attempt.why }, 'webhook refused an event');
    else if (attempt.state === 'failed' && !this.#isDown)
      log.warn({ ...facts, why: attempt.why }, 'webhook cannot be told of an event; it is tried again');
    else if (attempt.state === 'accepted' && this.#isDown) log.info(facts, 'webhook is told of events again');
    this.#isDown = attempt.state === 'failed';
  }
}

/** `Retry-After` in seconds, as milliseconds; its form as a date is ignored. */
const retryAfterMs = (header: string | null): number =>
  header !== null && /^\d{1,6}$/.test(header) ? Math.min(LONGEST_PAUSE_MS, Number(header) * 1000) : 0;

/** Why a request failed, without the address that Node's own message has. */
function reasonOf(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: string } };
  return cause?.code ?? name ?? 'unknown';
}
