/**
 * Cameras and viewers in a process of their own. A camera publishes a moving face by WHIP, 640x480 at 30 fps, until the
 * process that started this one disconnects.
 */

import path from 'node:path';
import sharp from 'sharp';
import { rgbToFrame } from '../../../src/faces/portrait.ts';
import { root } from '../../../src/lib/package-root.ts';
import { Publisher } from '../../../test/support/publisher.ts';
import { Watcher } from '../../../test/support/viewer.ts';

const [WIDTH, HEIGHT, FRAMES] = [640, 480, 12];

async function scenes(): Promise<Uint8Array[]> {
  const portrait = path.join(root, 'models/portraits/astronaut.webp');
  const face = await sharp(portrait).resize(420, 420).toBuffer();
  return Promise.all(
    Array.from({ length: FRAMES }, async (_, i) => {
      const left = Math.round(110 + 8 * Math.sin((2 * Math.PI * i) / FRAMES));
      const { data } = await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#889' } })
        .composite([{ input: face, left, top: 50 }])
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      return rgbToFrame(data, WIDTH, HEIGHT, 3).data;
    }),
  );
}

/** A message to the process: one camera more, or one viewer more. */
export interface CameraOrder {
  url: string;
  stream?: string | undefined;
  /** A viewer of the stream instead of a camera. */
  watch?: boolean;
}

const pictures = await scenes();
const cameras: Publisher[] = [];
const watchers: Watcher[] = [];

/** @returns the HTTP status of the server's answer. */
async function execute({ url, stream, watch }: CameraOrder): Promise<number> {
  if (watch === true) {
    const watcher = new Watcher();
    watchers.push(watcher);
    return (await watcher.whep(url, stream ?? '')).status;
  }
  const camera = new Publisher();
  cameras.push(camera);
  camera.play({ width: WIDTH, height: HEIGHT }, pictures, 30);
  return (await camera.whip(url, `?face=astronaut${stream === undefined ? '' : `&stream=${stream}`}`)).status;
}

process.on('message', (message: CameraOrder | 'seen') => {
  if (message === 'seen') process.send?.({ seen: watchers.reduce((sum, { received }) => sum + received, 0) });
  else void execute(message).then((status) => process.send?.({ status }));
});
process.once('disconnect', () => {
  const ended = [...cameras, ...watchers].map(({ location }) => fetch(location, { method: 'DELETE' }));
  void Promise.allSettled(ended).then(() => process.exit(0));
});
process.send?.({ ready: true });
