/** What viewers see of a session that is off air: the owner's picture, or a drawn card. */

import { readFile } from 'node:fs/promises';
import { rgbToFrame } from '../../faces/portrait.ts';
import { sharp } from '../../lib/sharp.ts';
import { FaceOffError, messageOf } from '../../shared/errors.ts';
import { planesOf } from '../../shared/i420.ts';
import type { Frame } from '../../shared/types.ts';

/** Frame sizes that the card is kept in; beyond that it is rendered anew. */
const MOST_SIZES = 8;
/** Luma and chroma of a card that is not rendered yet: the drawn card's ground. */
const GROUND = [33, 131, 126] as const;
/** A camera, crossed out: strokes alone, so that it looks the same on machines without fonts. */
const DRAWN = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 90"><rect width="160" height="90" fill="#14181b"/>
<g fill="none" stroke="#8b979e" stroke-width="2.400" stroke-linecap="round" stroke-linejoin="round">
<rect x="62" y="34" width="25" height="22" rx="4"/><path d="M87 42.500l11-6v17l-11-6"/><path d="M60 61L100 29" stroke="#14181b" stroke-width="7"/><path d="M60 61L100 29"/></g></svg>`;

/** Renders the card once for each frame size. Runs on the main thread; sharp renders on a thread of its own. */
export class OffAirCard {
  readonly #picture: Buffer;
  readonly #frames = new Map<string, Frame>();

  private constructor(picture: Buffer) {
    this.#picture = picture;
  }

  /**
   * Reads the owner's picture.
   * @param file null for the drawn card. @throws FaceOffError `bad_config` where the file is no picture that can be read.
   */
  static async open(file: string | null): Promise<OffAirCard> {
    if (file === null) return new OffAirCard(Buffer.from(DRAWN));
    try {
      const card = new OffAirCard(await readFile(file));
      await card.#render(64, 36);
      return card;
    } catch (cause) {
      throw new FaceOffError(
        'bad_config',
        `pipeline.offAirPicture: ${file} cannot be read as a picture (${messageOf(cause)}). Name a JPEG, PNG or WebP picture, or null for the drawn card.`,
        { cause },
      );
    }
  }

  /** The card in a frame's size: plain until it is rendered. Its data are shared, and must not be changed or freed. */
  frame({ width, height, receivedAtMs }: Pick<Frame, 'width' | 'height' | 'receivedAtMs'>): Frame {
    const size = `${width}x${height}`;
    const known = this.#frames.get(size);
    if (known !== undefined) return { ...known, receivedAtMs };
    if (this.#frames.size === MOST_SIZES) this.#frames.clear();
    const plain = plainFrame(width, height);
    this.#frames.set(size, plain);
    void this.#render(width, height).then(
      (frame) => this.#frames.set(size, frame),
      // The plain card stays.
      () => undefined,
    );
    return { ...plain, receivedAtMs };
  }

  /** Fills the frame: what is left of another shape is cut off. */
  async #render(width: number, height: number): Promise<Frame> {
    const { data } = await sharp(this.#picture, { density: 600 })
      .autoOrient()
      .resize(width, height, { fit: 'cover' })
      .flatten({ background: '#14181b' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return rgbToFrame(data, width, height, data.length / (width * height));
  }
}

function plainFrame(width: number, height: number): Frame {
  const { bytes, u, v } = planesOf({ width, height });
  const data = new Uint8Array(bytes);
  data.fill(GROUND[0], 0, u);
  data.fill(GROUND[1], u, v);
  data.fill(GROUND[2], v);
  return { width, height, data, receivedAtMs: 0 };
}
