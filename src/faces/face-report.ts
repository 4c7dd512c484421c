/** How well a face will do: what each of its photos shows and lacks, and which photo would help. For the page and the API. */

import path from 'node:path';
import type { Pool } from '../pipeline/pool/pool.ts';
import { inEnglish, type Phrase, phrase } from '../shared/language/phrase.ts';
import type { FaceReport, PhotoReport } from '../shared/messages.ts';
import type { Frame } from '../shared/types.ts';
import type { FaceEntry } from './face-files.ts';
import { ADVICE, adviceOn } from './photo-advice.ts';

/** Up to this angle a photo counts as one that looks into the camera; beyond it, as one of a side. Degrees. */
const FRONT_DEGREES = 18;

/** What is said of photos; each is judged once, as photos are never changed. Main thread. */
export class PhotoReports {
  readonly #pool: Pick<Pool, 'analyse' | 'judge'>;
  /** By the photo's path; null where it shows no face. */
  readonly #known = new Map<string, PhotoReport | null>();

  constructor(pool: Pick<Pool, 'analyse' | 'judge'>) {
    this.#pool = pool;
  }

  /** The reports of a face's photos in which a face is found. @param decode reads a photo. @throws whatever it throws. */
  async of({ id, folder, photos }: FaceEntry, decode: (file: string) => Promise<Frame>): Promise<PhotoReport[]> {
    const reports: PhotoReport[] = [];
    for (const [index, photo] of photos.entries()) {
      const file = path.join(folder, photo);
      const known = this.#known.get(file);
      const report = known === undefined ? await this.#judge(await decode(file), `${id}/photos/${index}`) : known;
      this.#known.set(file, report);
      if (report !== null) reports.push(report);
    }
    return reports;
  }

  async #judge(picture: Frame, at: string): Promise<PhotoReport | null> {
    const { width, height } = picture;
    const [face] = await this.#pool.analyse({ ...picture, data: picture.data.slice() });
    if (face === undefined) return null;
    const [flaws = []] = await this.#pool.judge([{ picture, points: face.points }]);
    return {
      picture: `/api/faces/${at}`,
      width,
      height,
      facePixels: Math.round(Math.max(face.box.width, face.box.height)),
      yawDegrees: Math.round(face.yawDegrees),
      pitchDegrees: Math.round(face.pitchDegrees),
      findings: adviceOn(flaws),
    };
  }
}

/** What is said of a face's photos: in English, and as phrases. */
export function adviceFor(photos: readonly PhotoReport[]): Pick<FaceReport, 'advice' | 'said'> {
  const said = photosToAdd(photos);
  return { advice: said.map(inEnglish), said };
}

/** Which photo would help, the most useful first; one sentence that says so where none would. */
function photosToAdd(photos: readonly Pick<PhotoReport, 'yawDegrees' | 'findings'>[]): Phrase[] {
  const advice: Phrase[] = [];
  if (photos.length === 0) return [phrase('The photos show no face any more. Add one that looks into the camera.')];
  const shared = photos[0]!.findings.filter(
    ({ flaw }) => flaw !== 'turned' && photos.every(({ findings }) => findings.some((one) => one.flaw === flaw)),
  );
  const yaws = photos.map(({ yawDegrees }) => yawDegrees);
  const [hasLeft, hasRight] = [yaws.some((yaw) => yaw < -FRONT_DEGREES), yaws.some((yaw) => yaw > FRONT_DEGREES)];
  if (!yaws.some((yaw) => Math.abs(yaw) <= FRONT_DEGREES))
    advice.push(phrase('Add a photo that looks into the camera: every one there is turned to a side.'));
  for (const { flaw } of shared) advice.push(phrase('In every photo: {{flaw}}', { flaw: { key: ADVICE[flaw] } }));
  if (!hasLeft && !hasRight)
    advice.push(
      phrase('Add one photo turned a little to the left and one to the right: the face then holds when you turn.'),
    );
  else if (!hasRight)
    advice.push(phrase('Add a photo turned to the right of the picture: the other side is there already.'));
  else if (!hasLeft)
    advice.push(phrase('Add a photo turned to the left of the picture: the other side is there already.'));
  return advice.length > 0
    ? advice
    : [phrase('Front and both sides are there, in good light. More photos would change little.')];
}
