/** The used part of signalsmith-stretch, which has no types of its own. */
declare module 'signalsmith-stretch' {
  /** What changes from now on; what is absent stays. */
  export interface StretchChange {
    active?: boolean;
    semitones?: number;
    formantSemitones?: number;
    /** Whether formants stay where they are, whatever the pitch. */
    formantCompensation?: boolean;
  }
  export interface StretchNode extends AudioWorkletNode {
    configure(options: { blockMs: number; intervalMs: number; splitComputation: boolean }): Promise<void>;
    schedule(change: StretchChange): Promise<unknown>;
    /** In seconds. */
    latency(): Promise<number>;
  }
  const create: {
    (context: AudioContext, options: AudioWorkletNodeOptions): Promise<StretchNode>;
    /** Address of the package's own file, in place of a blob, which the content policy refuses. */
    moduleUrl?: string;
  };
  export default create;
}
