/** Tells who is in a picture, with the models of the project but outside of its pipeline. */

import { Detector } from '../../src/pipeline/face/detect.ts';
import { Embedder } from '../../src/pipeline/face/embed.ts';
import { Landmarker, squareOf } from '../../src/pipeline/face/landmarks.ts';
import { openSession } from '../../src/pipeline/inference/model-session.ts';
import { Kernels } from '../../src/pipeline/kernels/kernels.ts';
import { LaneMutex } from '../../src/pipeline/lane/lane-mutex.ts';
import { readCatalogue } from '../../src/pipeline/models/catalogue.ts';
import { boundsOf } from '../../src/shared/geometry.ts';
import type { Frame } from '../../src/shared/types.ts';
import { modelsDir } from './lane.ts';

export interface Who {
  /** Embeddings of the faces, largest first. */
  embeddings(frame: Frame): Promise<Float32Array[]>;
}

export async function openWho(): Promise<Who> {
  const kernels = await Kernels.load(1920 * 1088);
  const catalogue = readCatalogue(modelsDir);
  const open = (role: string) => {
    const entry = catalogue.forRole(role);
    const bind = { image: kernels.floats(entry.inputs[0]!.shape.reduce((a, b) => a * b, 1)) };
    return openSession(entry, catalogue.read(entry), { threads: 1, bind });
  };
  const detector = new Detector(await open('face-detector'), kernels);
  const landmarker = new Landmarker(await open('face-mesh'), kernels);
  const embedder = new Embedder(await open('face-embedder'));
  const embeddings = async (frame: Frame): Promise<Float32Array[]> => {
    const found = [];
    for (const { square } of await detector.find(frame, 0.5, 0)) {
      const rect = boundsOf(square, 40, frame.width, frame.height)!;
      const region = kernels.load(frame, rect);
      const first = await landmarker.find(region, square);
      const { points } = await landmarker.find(region, squareOf(first.points));
      found.push(await embedder.embed(region, points));
    }
    return found;
  };
  // The kernels hold one region at a time, and tests ask about several frames at once.
  const mutex = new LaneMutex();
  return { embeddings: (frame) => mutex.run(() => embeddings(frame)) };
}
