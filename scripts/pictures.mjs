/**
 * The pictures of the pages in docs/: `npm run build && node scripts/pictures.mjs`. Starts a server of its own, shows it a
 * photo of an npm devDependency as the camera, and looks at the studio with Chromium (/usr/bin/chromium, or
 * what CHROMIUM names).
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, devices } from 'playwright-core';
import sharp from 'sharp';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const PHOTO = path.join(root, 'node_modules/@vladmandic/face-api/demo/sample1.jpg');
/** As a webcam would have it, with the face in the middle. */
const PART = { left: 1288, top: 110, width: 568, height: 426 };
/** Until the encoder has found its rate, and the lines over time have something to show. */
const SETTLE_MS = 25_000;

const DESKTOP = { viewport: { width: 1280, height: 860 } };
const PHONE = { ...devices['Pixel 7'], deviceScaleFactor: 1.5 };
/** Those that the first picture has no room for, in columns. */
const PANELS = [
  ['.record', '.obs'],
  ['.times', '.machine'],
];
const GAP = 16;

const folder = await mkdtemp(path.join(os.tmpdir(), 'faceoff-pictures-'));
const server = await startServer();
try {
  const camera = path.join(folder, 'camera.mjpeg');
  const picture = await sharp(PHOTO).extract(PART).resize(640, 480, { fit: 'fill' }).jpeg({ quality: 95 }).toBuffer();
  await writeFile(camera, picture);
  await withStudio(camera, DESKTOP, async (page) => {
    await keep(sharp(await page.screenshot()), 'studio.webp');
    await page.click('.times summary');
    await keep(await columns(page, PANELS), 'panels.webp');
  });
  await withStudio(camera, PHONE, async (page) => keep(sharp(await page.screenshot()), 'phone.webp'));
} finally {
  server.child.kill('SIGTERM');
  await rm(folder, { recursive: true, force: true });
}

/** A live studio, for as long as `look` takes. */
async function withStudio(camera, context, look) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
      `--use-file-for-fake-video-capture=${camera}`,
    ],
  });
  try {
    const page = await browser.newPage(context);
    // Its name would be the file's.
    await page.addInitScript(() => {
      Object.defineProperty(MediaDeviceInfo.prototype, 'label', { get: () => 'Webcam' });
    });
    await page.goto(server.url);
    await page.click('#start');
    await page.waitForSelector('body[data-state="live"]');
    await page.waitForTimeout(SETTLE_MS);
    // Other programs on the machine should not be what is shown.
    await page.waitForFunction(() => document.querySelector('#plan').textContent === 'full', null, {
      timeout: 120_000,
    });
    await look(page);
  } finally {
    await browser.close();
  }
}

function keep(picture, file) {
  return picture.webp({ quality: 88 }).toFile(path.join(root, 'docs', file));
}

/** Parts of the page beside and under each other, on the page's own ground. */
async function columns(page, wanted) {
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const parts = [];
  let [left, height] = [GAP, 0];
  for (const column of wanted) {
    let [top, width] = [GAP, 0];
    for (const selector of column) {
      const input = await page.locator(selector).screenshot();
      const size = await sharp(input).metadata();
      parts.push({ input, left, top });
      top += size.height + GAP;
      width = Math.max(width, size.width);
    }
    left += width + GAP;
    height = Math.max(height, top);
  }
  const sheet = sharp({ create: { width: left, height, channels: 3, background: ground } }).composite(parts);
  return sharp(await sheet.png().toBuffer());
}

/** Its settings are the defaults; what it keeps goes with the folder. */
async function startServer() {
  const set = [`models.cacheDir=${folder}/cache`, `storage.dir=${folder}/data`, `logging.dir=${folder}/logs`].flatMap(
    (one) => ['--set', one],
  );
  const words = [path.join(root, 'dist/main.js'), 'serve', '--port', '0', ...set];
  const child = spawn('node', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  const url = await new Promise((resolve, reject) => {
    child.stdout.on('data', (data) => {
      said += data;
      const found = said.match(/is ready at (https?:\S+?)"/);
      if (found) resolve(found[1]);
    });
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
  return { child, url };
}
