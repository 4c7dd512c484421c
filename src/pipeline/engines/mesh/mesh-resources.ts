import { POINTS, type Topology } from '../../face/topology.ts';
import type { ModelSession } from '../../inference/model-session.ts';
import { VERTEX_FLOATS } from '../../kernels/frame-region.ts';
import type { Kernels } from '../../kernels/kernels.ts';
import { ColourSampler } from './colour-sampler.ts';
import { MeshQuadratic } from './light/mesh-quadratic.ts';
import { skinWeights } from './light/skin-weights.ts';
import type { MeshTuning } from './mesh-tuning.ts';
import { FaceMap, MAP_TEXELS } from './occlusion/face-map.ts';
import { OccluderSegmenter } from './occlusion/occluder-segmentation.ts';
import { ShapeTransfer } from './shape.ts';
import { type LipColumns, lipColumns } from './shape-difference.ts';
import { atlasPoints } from './source/atlas-layout.ts';
import { foldsOf, opacityByPlace, opacityOverHair, opacityWhereKept, translucentTriangles } from './source/opacity.ts';

/**
 * What all swappers of a lane share: tables of the mesh, and buffers in kernel memory that hold one face at a time.
 * Vertices have VERTEX_FLOATS floats each; triangles are three point indices each.
 */
export interface MeshResources {
  kernels: Kernels;
  topology: Topology;
  tuning: MeshTuning;
  sampler: ColourSampler;
  map: FaceMap;
  /** Null where nothing tells what is worn in front of a face. */
  segmenter: OccluderSegmenter | null;
  shape: ShapeTransfer;
  lips: LipColumns;
  quadratic: MeshQuadratic;
  /** Weight of each of 468 points in the measurement of light. */
  skinWeights: Float32Array;
  /** Opacity by place of 468 points; with the live eyes kept, the live mouth, and both. */
  opacities: readonly [Float32Array, Float32Array, Float32Array, Float32Array];
  /** Factor on the opacity of 468 points over hair. */
  overHair: Float32Array;
  /** 1 for each of 468 points that folds behind the nose. */
  folds: Uint8Array;
  /** Triangles of the source's skin. */
  skin: Uint16Array;
  /** The source's vertices; their places in the atlas are set. */
  vertices: Float32Array;
  /**
   * Triangles that are drawn below the skin where it is translucent: the live eyes and mouth, moved with the shape.
   */
  under: Uint16Array;
  /** Triangles that are drawn below the skin where the live eyes or mouth are kept. */
  underKept: Uint16Array;
  /** Vertices of both; their opacity and gain are set. */
  underVertices: Float32Array;
  /** Triangles that are restored where the face is occluded. */
  restored: Uint16Array;
  /** The occlusion mask in kernel memory, [64, 64]. */
  mask: Uint8Array;
}

/**
 * Makes a lane's resources.
 * @param occluders the model of role occluder, or null. @throws FaceOffError `kernel_memory` when the kernels have no
 *   memory left.
 */
export function createMeshResources(
  kernels: Kernels,
  topology: Topology,
  tuning: MeshTuning,
  occluders: ModelSession | null,
): MeshResources {
  const map = new FaceMap(kernels, topology);
  const atlas = atlasPoints(topology);
  const vertices = kernels.floats(POINTS * VERTEX_FLOATS);
  const underVertices = kernels.floats(POINTS * VERTEX_FLOATS);
  for (let i = 0; i < POINTS; i++) {
    vertices.set(atlas.subarray(2 * i, 2 * i + 2), i * VERTEX_FLOATS + 2);
    underVertices[i * VERTEX_FLOATS + 4] = 1;
    underVertices[i * VERTEX_FLOATS + 8] = 1;
  }
  const byPlace = opacityByPlace(topology, tuning.opacity);
  const opacity = (keepsEyes: boolean, keepsMouth: boolean): Float32Array => {
    const kept = opacityWhereKept(topology, keepsEyes, keepsMouth, tuning.opacity);
    return byPlace.map((share, i) => share * kept[i]!);
  };
  return {
    kernels,
    topology,
    tuning,
    sampler: new ColourSampler(kernels, tuning.sampler),
    map,
    segmenter: occluders === null ? null : new OccluderSegmenter(occluders, map),
    shape: new ShapeTransfer(topology, tuning.shape),
    lips: lipColumns(topology, tuning.shape),
    quadratic: new MeshQuadratic(topology),
    skinWeights: skinWeights(topology, tuning.relight),
    opacities: [opacity(false, false), opacity(true, false), opacity(false, true), opacity(true, true)],
    overHair: opacityOverHair(topology, tuning.opacity),
    folds: foldsOf(topology, tuning.opacity),
    skin: kernels.indices(topology.skin),
    vertices,
    under: kernels.indices(translucentTriangles(topology, false, tuning.opacity)),
    underKept: kernels.indices(translucentTriangles(topology, true, tuning.opacity)),
    underVertices,
    restored: kernels.indices([...topology.skin, ...topology.holes]),
    mask: kernels.bytes(MAP_TEXELS),
  };
}
