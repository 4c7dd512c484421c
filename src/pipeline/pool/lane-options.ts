/** What the configuration says to the lanes, the device process and new sessions. */

import path from 'node:path';
import type { Config } from '../../config.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { DEFAULT_SETTINGS, MESH, NONE, SETTING_KEYS, SETTINGS, type SwapSettings } from '../../shared/settings.ts';
import type { DeviceOptions } from '../device/device-protocol.ts';
import type { Catalogue } from '../models/catalogue.ts';
import type { LaneOptions, LiveLaneOptions } from './lane-protocol.ts';

/** The models that the configuration names; null for none. */
export interface ModelNames {
  /** An engine: `mesh` or the name of a generator. */
  engine: string;
  mask: string | null;
  restorer: string | null;
}

/** The names of the models in the configuration; an engine `none` needs no other model than mesh. */
export function modelNames({ swap, restoration }: Pick<Config, 'swap' | 'restoration'>): ModelNames {
  const orNull = (name: string): string | null => (name === NONE ? null : name);
  return { engine: orNull(swap.engine) ?? MESH, mask: orNull(swap.mask), restorer: orNull(restoration.model) };
}

/** As `modelNames`. @throws FaceOffError `bad_config` for a model that the catalogue does not have in that role. */
export function requireModelNames(catalogue: Catalogue, config: Config): ModelNames {
  const names = modelNames(config);
  const { engine, mask, restorer } = names;
  const asked = [
    ['swap.engine', engine === MESH ? null : engine, 'generator'],
    ['swap.mask', mask, 'masker'],
    ['restoration.model', restorer, 'restorer'],
  ] as const;
  for (const [key, name, role] of asked) {
    try {
      if (name !== null) catalogue.named(name, role);
    } catch (cause) {
      throw new FaceOffError('bad_config', `${key}: ${messageOf(cause)}`, { cause });
    }
  }
  return names;
}

/** The settings of a new session: the table's defaults, as config.yaml changes them. */
export function defaultSettings(config: Config): SwapSettings {
  const sections = config as unknown as Record<string, Record<string, unknown>>;
  const configured = SETTING_KEYS.flatMap((key) => {
    const { configKey } = SETTINGS[key];
    if (configKey === null) return [];
    const [section, name] = configKey.split('.') as [string, string];
    return [[key, sections[section]![name]] as const];
  });
  const settings: SwapSettings = { ...DEFAULT_SETTINGS, map: {}, ...Object.fromEntries(configured) };
  // Without the acknowledgement the mark stays on: a config.yaml of before has `badge: false` unasked.
  settings.badge ||= !config.disclosure.acknowledged;
  // swap.engine `none` swaps nothing until a face is chosen, and then by mesh.
  return settings.engine === NONE ? { ...settings, engine: MESH, face: null } : settings;
}

/** The options that lanes take over while they run: those of live settings. */
export function liveLaneOptions(config: Config): LiveLaneOptions {
  const { detection, tracking, swap, restoration } = config;
  return {
    engine: modelNames(config).engine,
    score: detection.score,
    intervalMs: detection.intervalMs,
    faces: detection.faces,
    minSize: detection.minSize,
    lostAfterFrames: tracking.lostAfterFrames,
    minCutoffHz: tracking.minCutoffHz,
    beta: tracking.beta,
    colour: swap.colour,
    sharpness: restoration.sharpness,
    crossfadeMs: swap.crossfadeMs,
  };
}

/** Where a configuration keeps the pictures for backgrounds. */
export const backgroundsDir = ({ storage }: Pick<Config, 'storage'>): string => path.join(storage.dir, 'backgrounds');

/** The options of every lane, without the address of the device process. */
export function laneOptions(config: Config): LaneOptions {
  const { limits, pipeline, swap, restoration, inference, models } = config;
  return {
    modelsDir: models.dir,
    threads: inference.threads,
    warmupRuns: models.warmupRuns,
    deviceAddress: null,
    reserve: swap.reserve,
    maxPixels: limits.frameWidth * limits.frameHeight,
    budgetMs: pipeline.budgetMs,
    boost: swap.boost,
    restoreBlend: restoration.blend,
    backgroundsDir: backgroundsDir(config),
    markWords: null,
    ...modelNames(config),
    ...liveLaneOptions(config),
  };
}

/** Larger batches than this are not tried, in pictures. */
const MOST_BATCHED = 16;

/** The options of the device process, without its address. */
export function deviceOptions({ inference, models, pipeline }: Config): Omit<DeviceOptions, 'address'> {
  const { threads, batch } = inference;
  const tune = batch === 'auto';
  const { warmupRuns, cacheDir } = models;
  return {
    threads,
    tune,
    maxBatch: tune ? MOST_BATCHED : batch,
    warmupRuns,
    cacheDir,
    budgetMs: pipeline.budgetMs,
    inference,
  };
}
