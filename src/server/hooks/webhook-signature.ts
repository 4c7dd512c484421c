import { createHmac } from 'node:crypto';
import { keyOfSecret } from '../../config/hook-settings.ts';

/** What a delivery is signed as. */
export interface SignedDelivery {
  /** The same for every attempt, so that a receiver can tell a repetition. */
  id: string;
  /** When the attempt was made, in whole seconds since 1970. */
  timestampS: number;
  /** The body of the request, as it is sent. */
  body: string;
}

/**
 * Headers of a delivery as the Standard Webhooks specification has them: HMAC-SHA256 of `id.timestamp.body`, in base64.
 * @param secret `whsec_` and the key in base64.
 */
export function signedHeaders(secret: string, { id, timestampS, body }: SignedDelivery): Record<string, string> {
  const signature = createHmac('sha256', keyOfSecret(secret)).update(`${id}.${timestampS}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(timestampS), 'webhook-signature': `v1,${signature}` };
}
