/** Tells a person whose face the camera sees dark. */

import type { SeenFace } from '../../../shared/types.ts';
import { t } from '../../language/translate.ts';
import { announce } from '../../lib/dom.ts';

const EVERY_MS = 2000;
/** The picture is looked at in this width, in pixels. */
const WIDTH = 160;
/** Mean luma (0..255) of a face below which it is dark, and share of the whole picture's below which it is against the light. */
const DARK = 55;
const AGAINST_LIGHT = 0.5;
/** Looks in a row before anything is said. */
const PATIENCE = 3;

/** What is wrong with the light; null for nothing. @param face, whole mean luma, 0..255. */
export function lightProblem(face: number, whole: number): string | null {
  if (face < 1.6 * DARK && face < AGAINST_LIGHT * whole)
    return t('Your face is against the light. Turn so that the window or lamp is in front of you.');
  return face < DARK ? t('Your face is dark. More light in front of you gives a better swap.') : null;
}

/** Looks at the camera's own picture every two seconds, while the page is visible. */
export class LightHint {
  readonly #video: HTMLVideoElement;
  readonly #canvas = document.createElement('canvas');
  #faces: readonly SeenFace[] = [];
  #dark = 0;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    setInterval(() => this.#look(), EVERY_MS);
  }

  /** @param faces boxes in pixels of the camera's picture; none where they are not known. */
  show(faces: readonly SeenFace[]): void {
    this.#faces = faces;
  }

  #look(): void {
    const problem = document.hidden ? null : this.#problem();
    this.#dark = problem === null ? 0 : this.#dark + 1;
    announce('light-note', this.#dark >= PATIENCE ? (problem ?? '') : '');
  }

  #problem(): string | null {
    const { videoWidth, videoHeight } = this.#video;
    const [face] = [...this.#faces].sort((a, b) => b.width * b.height - a.width * a.height);
    if (videoWidth === 0 || this.#video.srcObject === null || face === undefined) return null;
    const scale = WIDTH / videoWidth;
    const height = Math.round(videoHeight * scale);
    Object.assign(this.#canvas, { width: WIDTH, height });
    const context = this.#canvas.getContext('2d', { willReadFrequently: true });
    if (context === null) return null;
    context.drawImage(this.#video, 0, 0, WIDTH, height);
    const mean = (x: number, y: number, w: number, h: number): number => {
      const { data } = context.getImageData(x, y, Math.max(1, w), Math.max(1, h));
      let sum = 0;
      for (let i = 0; i < data.length; i += 4) sum += 0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!;
      return sum / (data.length / 4);
    };
    const [x, y, w, h] = [face.x, face.y, face.width, face.height].map((side) => Math.round(side * scale));
    // The middle of the box: no hair, no background.
    const inner = mean(x! + Math.round(w! / 5), y! + Math.round(h! / 4), Math.round(0.6 * w!), Math.round(h! / 2));
    return lightProblem(inner, mean(0, 0, WIDTH, height));
  }
}
