/** What `faceoff serve` and `faceoff agent` start alike: lanes, faces, metrics, and the sensor of the GPU. */

import type { Config } from '../../config.ts';
import { FaceLibrary } from '../../faces/face-library.ts';
import type { Logger } from '../../lib/log.ts';
import { Metrics } from '../../metrics.ts';
import { defaultSettings } from '../../pipeline/pool/lane-options.ts';
import type { ModelLoad } from '../../pipeline/pool/lane-protocol.ts';
import { Pool } from '../../pipeline/pool/pool.ts';
import { openGpu } from '../../server/monitor/gpu-sensor.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import type { Gpu } from '../../shared/gpu.ts';

/** Everything that swaps, loaded and warm. */
export interface Pipeline {
  pool: Pool;
  faces: FaceLibrary;
  metrics: Metrics;
  /** The models in use; every lane loads the same. */
  models: readonly ModelLoad[];
  gpu: Gpu | null;
}

/** What is told while it runs. */
export interface PipelineListener {
  /** A lane or the device process is gone. */
  onLost?(part: 'lane' | 'device', cause: string): void;
}

/**
 * Starts it.
 * @throws FaceOffError `bad_config` where the face that sessions start with cannot be used, `block_list_damaged`; then all is closed.
 */
export async function startPipeline(config: Config, log: Logger, { onLost }: PipelineListener = {}): Promise<Pipeline> {
  const metrics = new Metrics(config.metrics);
  const models = new Map<string, ModelLoad>();
  const pool = await Pool.start(config, log, {
    onModelLoad: (load) => {
      models.set(load.model, load);
      metrics.modelLoad(load);
      log.debug(load, 'model loaded');
    },
    onDevice: (report) => metrics.device(report),
    ...(onLost !== undefined && { onLost }),
  });
  const faces = await FaceLibrary.open(config, pool, log).catch(async (error: unknown) => {
    await pool.close();
    throw error;
  });
  const { face } = defaultSettings(config);
  if (face !== null)
    await preloadDefault(pool, face).catch(async (error: unknown) => {
      faces.close();
      await pool.close();
      throw error;
    });
  const gpu = await openGpu({ onProblem: (why) => log.warn({ why }, 'the GPU cannot be watched') });
  if (gpu !== null) log.info({ gpu: gpu.name, driver: gpu.driver }, 'GPU found');
  return { pool, faces, metrics, models: [...models.values()], gpu };
}

/**
 * Readies the face that sessions start with. Without it they would show the real one, so the server does not start.
 * @throws FaceOffError `bad_config`.
 */
export async function preloadDefault(pool: Pool, face: string): Promise<void> {
  await pool.preload(face).catch((cause: unknown) => {
    throw new FaceOffError(
      'bad_config',
      `swap.face: the face "${face}" cannot be used (${messageOf(cause)}). Name another one, or restore its file.`,
      { cause },
    );
  });
}
