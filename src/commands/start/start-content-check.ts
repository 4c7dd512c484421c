import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import { ContentCheck } from '../../pipeline/content/content-check.ts';
import { readCatalogue } from '../../pipeline/models/catalogue.ts';
import type { Pool } from '../../pipeline/pool/pool.ts';
import { messageOf } from '../../shared/errors.ts';

/**
 * Null where `safety.contentCheck` is off. A check that does not start is tried again by the streams; until it works,
 * guarded ones are hidden.
 * @param onLost called when its process ended or hung, which is logged here. @param cause one sentence.
 */
export async function startContentCheck(
  config: Config,
  pool: Pool,
  log: Logger,
  onLost: (cause: string) => void,
): Promise<ContentCheck | null> {
  if (!config.safety.contentCheck) return null;
  const check = new ContentCheck(config.models.dir, {
    onLost: ({ message }, restarts) => {
      log.error({ restarts }, message);
      onLost(message);
    },
  });
  const { name: model } = readCatalogue(config.models.dir).forRole('content-check');
  await check.start().then(
    () => pool.models.note(check, { model, state: 'ready', provider: 'cpu' }),
    (error: unknown) => {
      pool.models.note(check, { model, state: 'failed', why: messageOf(error) });
      const what = 'the content check does not work: guarded streams are hidden, others go on unchecked';
      log.error({ error: messageOf(error) }, what);
    },
  );
  return check;
}
