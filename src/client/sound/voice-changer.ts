/** Changes the pitch and the timbre of a microphone, in an audio worklet (signalsmith-stretch, MIT). */

import type { StretchNode } from 'signalsmith-stretch';
import { serverUrl } from '../lib/server-url.ts';

/** A voice by how far it is from the person's own, in semitones (-12..12). No person's voice is imitated. */
export interface Voice {
  /** Pitch. */
  pitch: number;
  /** Formants, which make a voice sound as of a larger (below 0) or smaller person. */
  timbre: number;
}

/** The voices that a call offers. */
export const CALL_VOICES = {
  own: { pitch: 0, timbre: 0 },
  lower: { pitch: -4, timbre: -2 },
  higher: { pitch: 4, timbre: 2 },
} as const satisfies Record<string, Voice>;

/** Whether a voice differs from the person's own. */
export const isChanged = ({ pitch, timbre }: Voice): boolean => pitch !== 0 || timbre !== 0;

/** Short blocks: lower voices blur a little, and the sound is late by no more than this and half of it. */
const BLOCK_MS = 60;

/** One microphone's sound, changed. */
export class VoiceChanger {
  readonly #context: AudioContext;
  readonly #node: StretchNode;
  readonly #destination: MediaStreamAudioDestinationNode;
  /** How late the sound comes out, in milliseconds. */
  readonly latencyMs: number;

  private constructor(context: AudioContext, node: StretchNode, latencyMs: number) {
    this.#context = context;
    this.#node = node;
    this.latencyMs = latencyMs;
    this.#destination = context.createMediaStreamDestination();
    node.connect(this.#destination);
  }

  /** @param track stays open when the changer closes. @throws where the browser has no audio worklets. */
  static async open(track: MediaStreamTrack, voice: Voice): Promise<VoiceChanger> {
    // The package's own file, which the worklet loads, too: it is fetched when a voice is first changed.
    const moduleUrl = serverUrl('/voice-processor.js');
    const { default: createNode } = (await import(moduleUrl)) as typeof import('signalsmith-stretch');
    createNode.moduleUrl = moduleUrl;
    const context = new AudioContext({ latencyHint: 'interactive' });
    try {
      const node = await createNode(context, { numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [1] });
      await node.configure({ blockMs: BLOCK_MS, intervalMs: BLOCK_MS / 4, splitComputation: true });
      context.createMediaStreamSource(new MediaStream([track])).connect(node);
      const latency = (await node.latency()) + context.baseLatency;
      const changer = new VoiceChanger(context, node, Math.round(1000 * latency));
      changer.set(voice);
      await context.resume();
      return changer;
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  /** The changed sound. */
  get track(): MediaStreamTrack {
    return this.#destination.stream.getAudioTracks()[0]!;
  }

  /** Changes the voice at once. */
  set({ pitch, timbre }: Voice): void {
    void this.#node.schedule({
      active: true,
      semitones: pitch,
      formantSemitones: timbre,
      formantCompensation: true,
    });
  }

  /** Idempotent. */
  close(): void {
    this.#node.disconnect();
    this.track.stop();
    if (this.#context.state !== 'closed') void this.#context.close();
  }
}
