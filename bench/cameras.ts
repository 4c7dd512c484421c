/** Cameras in a process of their own: each publishes a moving face by WHIP, 640x480 at 30 fps, until it is told to stop. */

import path from 'node:path';
import sharp from 'sharp';
import { rgbToFrame } from '../src/pipeline/portrait.ts';
import { root } from '../src/root.ts';
import { Publisher } from '../test/support/publisher.ts';

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

const pictures = await scenes();
const cameras: Publisher[] = [];
process.on('message', (message: { url: string }) => {
  const camera = new Publisher();
  cameras.push(camera);
  camera.play(WIDTH, HEIGHT, pictures, 30);
  void camera.whip(message.url, '?face=astronaut').then(({ status }) => process.send?.({ status }));
});
process.once('disconnect', () => {
  const ended = cameras.map(({ location }) => fetch(location, { method: 'DELETE' }));
  void Promise.allSettled(ended).then(() => process.exit(0));
});
process.send?.({ ready: true });
