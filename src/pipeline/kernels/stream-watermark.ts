/** The watermark of one stream, whatever sizes its frames have. */

import type { Frame } from '../../shared/types.ts';
import { allChips, type MessageLayout } from '../../watermark/chips.ts';
import { messageChips } from '../../watermark/message.ts';
import { cellSide } from '../../watermark/pattern.ts';
import { LumaMarker } from './luma-marker.ts';

/** Marks the frames of a stream with one message. Makes its pattern for each new size of frame, which takes some 20 ms. */
export class StreamWatermark {
  readonly #module: WebAssembly.Module;
  readonly #chips: Int8Array;
  #marker: LumaMarker | null = null;

  /** @param module of `compiledKernels`. @param word of 32 bits. */
  constructor(module: WebAssembly.Module, layout: MessageLayout, word: number) {
    this.#module = module;
    this.#chips = allChips(messageChips(word), layout);
  }

  /** Adds the mark to a frame's luma in place. */
  mark(frame: Frame): void {
    const { width, height } = frame;
    if (this.#marker?.width !== width || this.#marker.height !== height)
      this.#marker = new LumaMarker(this.#module, this.#chips, cellSide(width, height), { width, height });
    this.#marker.mark(frame);
  }
}
