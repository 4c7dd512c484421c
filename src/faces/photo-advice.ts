/** What each flaw of a photo does to the swap, and what would be better: for the page and the API. */

import { sentence } from '../shared/language/phrase.ts';
import type { PhotoFinding, PhotoFlaw } from '../shared/messages.ts';

/** What each flaw does, and what would be better. */
export const ADVICE: Record<PhotoFlaw, string> = {
  'cut-off': sentence(
    'The face is cut off by the edge of the picture. Use one that shows it whole, from hairline to chin.',
  ),
  covered: sentence(
    'Part of the face is covered by glasses, hair or something else. Use a photo without, or add a second one.',
  ),
  turned: sentence(
    'The face is turned. Its far side is guessed from the near one; add a photo that looks into the camera.',
  ),
  small: sentence(
    'The face is small, so it will look soft near the camera. Use a larger picture, or one taken from nearer.',
  ),
  blurred: sentence('The picture is blurred, so the skin will look smooth. Use a sharper one.'),
  dark: sentence('The face is dark, which leaves noise in its skin. Use a photo in even daylight.'),
  'burnt-out': sentence(
    'Parts of the skin are overexposed and have no detail left. Use a photo without flash or sun on the face.',
  ),
  'uneven-light': sentence(
    'The light comes from one side. What can be is taken off; a photo in even light looks more like the person.',
  ),
  colourless: sentence(
    'The picture has no colours. The skin takes its colour from the camera; a colour photo keeps lips and cheeks.',
  ),
};

/** The flaws in words. */
export const adviceOn = (flaws: readonly PhotoFlaw[]): PhotoFinding[] =>
  flaws.map((flaw) => ({ flaw, message: ADVICE[flaw] }));
