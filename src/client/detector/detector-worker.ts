/** The worker of `/detect`: adds the pictures that it is sent, and searches them when it is told that there are no more. */

import { MarkDetector } from '../../watermark/mark-detector.ts';
import type { GrayPicture } from '../../watermark/residual.ts';

let detector = new MarkDetector();

self.addEventListener('message', ({ data }: MessageEvent<GrayPicture | null>) => {
  if (data !== null) {
    detector.add(data);
    return;
  }
  self.postMessage(detector.result());
  detector = new MarkDetector();
});
