/** The interface of a device: what opens models elsewhere than in the calling thread. */

import type { ModelSession, ModelShape } from './model-session.ts';

/** A model as the device opens it. Equal specs from all lanes share one session. */
export interface ModelSpec {
  file: string;
  /** Published or recorded digest, checked while the file is read; null where there is none. */
  sha256: string | null;
  shape: ModelShape;
  /** Inputs of one float64 each, by name: the same for every picture. */
  doubles: Record<string, number>;
  /** Inputs of one float32 each, by name: the same for every picture. */
  scalars: Record<string, number>;
  /** Whether the file leaves the batch dimension open. */
  open: boolean;
}

/** Opens models in another process; implemented by the lane's DeviceClient. */
export interface ModelDevice {
  /** @param bind memory for inputs by name, see SessionOptions. @throws FaceOffError whatever opening fails with. */
  open(spec: ModelSpec, bind: Record<string, Float32Array>): Promise<ModelSession>;
}
