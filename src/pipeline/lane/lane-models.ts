/** What a lane loads and warms before its first frame. */

import { messageOf } from '../../shared/errors.ts';
import { messageLayout } from '../../watermark/chips.ts';
import { sessionWord } from '../../watermark/session-word.ts';
import { PersonSegmenter } from '../background/person-segmenter.ts';
import { StreamBackground } from '../background/stream-background.ts';
import { DeviceClient } from '../device/device-client.ts';
import { PhotoLight } from '../engines/mesh/source/photo-light.ts';
import { Restorer } from '../engines/restorer.ts';
import { Detector } from '../face/detect.ts';
import { Embedder } from '../face/embed.ts';
import { Landmarker } from '../face/landmarks.ts';
import { readTopology, type Topology } from '../face/topology.ts';
import { type ModelSession, openSession } from '../inference/model-session.ts';
import { compiledKernels } from '../kernels/compiled-kernels.ts';
import { Kernels } from '../kernels/kernels.ts';
import { StreamWatermark } from '../kernels/stream-watermark.ts';
import { type Catalogue, readCatalogue } from '../models/catalogue.ts';
import type { OnModelNews } from '../models/model-states.ts';
import { type LaneOptions, type ModelLoad, PORTRAIT_SIDE } from '../pool/lane-protocol.ts';
import type { LaneMutex } from './lane-mutex.ts';
import type { Tools } from './pipeline.ts';

/** Roles of the models that every lane needs, in the order they are opened. */
const ROLES = ['face-detector', 'face-mesh', 'face-embedder', 'delight', 'occluder', 'person-segmenter'] as const;

type Role = (typeof ROLES)[number];

/** Roles whose models run at enrolment only: their inputs take no kernel memory, and they are not warmed. */
const AT_ENROLMENT: readonly Role[] = ['delight'];
/** Roles whose inputs other memory is copied to: they take no kernel memory. */
const COPIED_TO: readonly Role[] = ['person-segmenter'];

/** What a lane is started with. */
export interface LaneSetup {
  options: LaneOptions;
  mutex: LaneMutex;
  /** Receives every error that cost a frame its swap, with the frame's session, or the lane an optional model. */
  onFault: (error: unknown, session?: string) => void;
  /** Receives what becomes of each model. */
  onModelNews: OnModelNews;
}

/** Everything a lane has loaded; owned by it and closed with it. */
export interface LaneModels {
  readonly catalogue: Catalogue;
  readonly kernels: Kernels;
  readonly topology: Topology;
  /** Makes the invisible mark of a session's stream; null where no frame is marked. */
  readonly watermarkFor: ((session: string) => StreamWatermark) | null;
  /** Makes what replaces the background of one stream. */
  readonly newBackground: () => StreamBackground;
  /** The connection to the device process; null where big models run in the lane. */
  readonly device: DeviceClient | null;
  readonly tools: Tools;
  /** Takes the light of photos off at enrolment. */
  readonly photoLight: PhotoLight;
  /** Tells what is worn in front of a live face. */
  readonly occluders: ModelSession;
  /** How each model was loaded, in order; the lane adds the configured engine's. */
  readonly loads: ModelLoad[];
  /** Closes the models, not the device connection. */
  close(): Promise<void>;
}

/**
 * Loads everything a lane needs for its frames.
 * @throws FaceOffError when a model is missing or not the released one.
 */
export async function loadLaneModels(setup: LaneSetup): Promise<LaneModels> {
  const { options, mutex, onModelNews } = setup;
  // Portraits are analysed here too, however small the frames are that the configuration allows.
  const kernels = await Kernels.load(Math.max(options.maxPixels, PORTRAIT_SIDE ** 2));
  const catalogue = readCatalogue(options.modelsDir);
  const geometry = catalogue.forRole('face-geometry');
  const topology = readTopology(catalogue.read(geometry));
  onModelNews({ model: geometry.name, state: 'verified' });

  const opened = new Map<Role, OpenedModel>();
  for (const role of ROLES) opened.set(role, await openModel(role, catalogue, kernels, setup));
  const sessionOf = (role: Role): ModelSession => opened.get(role)!.session;
  const address = options.deviceAddress;
  const device = address === null ? null : new DeviceClient({ address, yieldWhile: mutex.yieldWhile });
  const restorer = await openRestorer(catalogue, device, setup);
  const segmenter = new PersonSegmenter(sessionOf('person-segmenter'));
  const module = await compiledKernels();
  return {
    catalogue,
    kernels,
    topology,
    watermarkFor: await watermarks(options.markWords),
    newBackground: () => new StreamBackground(module, segmenter),
    device,
    tools: {
      detector: new Detector(sessionOf('face-detector'), kernels),
      landmarker: new Landmarker(sessionOf('face-mesh'), kernels),
      embedder: new Embedder(sessionOf('face-embedder')),
      restorer,
      runConcurrently: mutex.runConcurrently,
    },
    photoLight: new PhotoLight(sessionOf('delight')),
    occluders: sessionOf('occluder'),
    loads: [...opened.values()].map(({ load }) => load),
    async close() {
      await restorer?.close();
      for (const { session } of opened.values()) await session.close();
    },
  };
}

/** @param words of the key; null for no mark. */
async function watermarks(words: Uint32Array | null): Promise<LaneModels['watermarkFor']> {
  if (words === null) return null;
  const [module, layout] = [await compiledKernels(), messageLayout(words)];
  return (session) => new StreamWatermark(module, layout, sessionWord(session));
}

interface OpenedModel {
  session: ModelSession;
  load: ModelLoad;
}

/** Opens the model of a role. One for frames has its input in kernel memory, and is run: the first runs are slow. */
async function openModel(role: Role, catalogue: Catalogue, kernels: Kernels, setup: LaneSetup): Promise<OpenedModel> {
  const { threads, warmupRuns } = setup.options;
  const beganMs = performance.now();
  const entry = catalogue.forRole(role);
  const isForFrames = !AT_ENROLMENT.includes(role);
  const bound = isForFrames && !COPIED_TO.includes(role) ? entry.inputs : [];
  const bind = Object.fromEntries(
    bound.map((input) => [input.name, kernels.floats(input.shape.reduce((a, b) => a * b, 1))]),
  );
  const session = await openSession(entry, catalogue.read(entry), { threads, bind });
  for (let run = 0; isForFrames && run < warmupRuns; run++) await session.run();
  const loadMs = performance.now() - beganMs;
  setup.onModelNews({ model: entry.name, state: 'ready', provider: session.provider });
  return { session, load: { model: entry.name, provider: session.provider, cached: false, loadMs } };
}

/** Opens the configured restorer. One that cannot be used costs its effect, not the lane. */
async function openRestorer(
  catalogue: Catalogue,
  device: DeviceClient | null,
  { options, mutex, onFault, onModelNews }: LaneSetup,
): Promise<Restorer | null> {
  const { restorer: model, restoreBlend: blend } = options;
  if (model === null) return null;
  try {
    const { yieldWhile } = mutex;
    return await Restorer.open(catalogue, { ...options, onModelNews, device, yieldWhile, model, blend }, onFault);
  } catch (error) {
    onModelNews({ model, state: 'failed', why: messageOf(error) });
    onFault(error);
    return null;
  }
}
