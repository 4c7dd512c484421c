/** What a page shows, as the pipeline knows pictures. */

import type { Page } from 'playwright-core';
import { rgbToFrame } from '../../src/faces/portrait.ts';
import type { Frame } from '../../src/shared/types.ts';

/** The picture that the page received, as I420. @param selector of the video that shows it. */
export async function received(page: Page, selector = '#after'): Promise<Frame> {
  const picture = await page.evaluate((wanted) => {
    const video = document.querySelector<HTMLVideoElement>(wanted)!;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext('2d')!;
    context.drawImage(video, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    let text = '';
    for (let i = 0; i < data.length; i += 4096) text += String.fromCharCode(...data.subarray(i, i + 4096));
    return { width, height, data: btoa(text) };
  }, selector);
  return rgbToFrame(Buffer.from(picture.data, 'base64'), picture.width, picture.height, 4);
}
