/** The GPU as the monitor, the metrics and the pages see it. */

/** Properties of a GPU that stay the same while the program runs. */
export interface GpuInfo {
  name: string;
  /** Version of the driver, such as 580.65.06. */
  driver: string;
  /** Compute capability, major and minor, such as 9.0; null where the driver does not report it. */
  computeCapability: string | null;
}

/** One reading of a GPU: memory in bytes, utilisation 0..1. */
export interface GpuState {
  /** Of all programs together. */
  usedBytes: number;
  totalBytes: number;
  /**
   * Share of the last sampling period in which a kernel ran, 0..1; null where it is not reported, as in a MIG slice.
   */
  utilisation: number | null;
}

/** A GPU that can be read again and again. */
export interface Gpu extends GpuInfo {
  /** Null while the GPU does not answer, and after `close`. */
  read(): Promise<GpuState | null>;
  /** Idempotent. */
  close(): void;
}
