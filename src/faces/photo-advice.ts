/** What each flaw of a photo does to the swap, and what would be better: for the page and the API. */

import type { PhotoFinding, PhotoFlaw } from '../shared/messages.ts';

/** What each flaw does, and what would be better. */
export const ADVICE: Record<PhotoFlaw, string> = {
  'cut-off': 'The face is cut off by the edge of the picture. Use one that shows it whole, from hairline to chin.',
  covered: 'Part of the face is covered by glasses, hair or something else. Use a photo without, or add a second one.',
  turned: 'The face is turned. Its far side is guessed from the near one; add a photo that looks into the camera.',
  small: 'The face is small, so it will look soft near the camera. Use a larger picture, or one taken from nearer.',
  blurred: 'The picture is blurred, so the skin will look smooth. Use a sharper one.',
  dark: 'The face is dark, which leaves noise in its skin. Use a photo in even daylight.',
  'burnt-out':
    'Parts of the skin are overexposed and have no detail left. Use a photo without flash or sun on the face.',
  'uneven-light':
    'The light comes from one side. What can be is taken off; a photo in even light looks more like the person.',
  colourless:
    'The picture has no colours. The skin takes its colour from the camera; a colour photo keeps lips and cheeks.',
};

/** The flaws in words. */
export const adviceOn = (flaws: readonly PhotoFlaw[]): PhotoFinding[] =>
  flaws.map((flaw) => ({ flaw, message: ADVICE[flaw] }));
