/**
 * Takes the screenshots in docs/: `npm run build && node scripts/pictures.mjs`, or those that are named: `node
 * scripts/pictures.mjs phone-guide`, of studio (with panels), phone and phone-guide. Starts a server, gives Chromium
 * (/usr/bin/chromium, or the path in CHROMIUM) a photo of an npm devDependency as its camera, and opens the studio.
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
/** The part of the photo that a webcam would show, with the face in the middle. */
const PART = { left: 1288, top: 110, width: 568, height: 426 };
/** In this time the encoder finds its rate, and the graphs over time fill. */
const SETTLE_MS = 25_000;

const DESKTOP = { viewport: { width: 1280, height: 860 } };
const PHONE = { ...devices['Pixel 7'], deviceScaleFactor: 1.5 };
/** Panels that the first screenshot has no room for, in columns. */
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
  if (isWanted('studio'))
    await withStudio(camera, DESKTOP, async (page) => {
      await keep(sharp(await page.screenshot()), 'studio.webp');
      await page.click('.times summary');
      await keep(await columns(page, PANELS), 'panels.webp');
    });
  if (isWanted('phone'))
    await withStudio(camera, PHONE, async (page) => keep(sharp(await page.screenshot()), 'phone.webp'));
  if (isWanted('phone-guide')) await keep(await guide(), 'phone-guide.webp');
} finally {
  server.child.kill('SIGTERM');
  await rm(folder, { recursive: true, force: true });
}

/** Opens the studio live, for as long as `capture` takes. */
async function withStudio(camera, context, capture) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'],
      `--use-file-for-fake-video-capture=${camera}`,
    ],
  });
  try {
    const page = await browser.newPage(context);
    // The camera's name would otherwise be the file's.
    await page.addInitScript(() => {
      Object.defineProperty(MediaDeviceInfo.prototype, 'label', { get: () => 'Webcam' });
    });
    await page.goto(server.url);
    await page.click('#start');
    await page.waitForSelector('body[data-state="live"]');
    await page.waitForTimeout(SETTLE_MS);
    // The screenshot must not show a quality that was lowered because of other programs on the machine.
    await page.waitForFunction(() => document.querySelector('#plan').textContent === 'full', null, {
      timeout: 120_000,
    });
    await capture(page);
  } finally {
    await browser.close();
  }
}

function isWanted(name) {
  const names = process.argv.slice(2);
  return names.length === 0 || names.includes(name);
}

/** The guide for a phone, as a phone has come to the login page. */
async function guide() {
  const open = await startServer(['--host', '0.0.0.0', '--set', 'server.token=a-token-for-pictures']);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    const desk = await browser.newPage({ ...DESKTOP, ignoreHTTPSErrors: true, deviceScaleFactor: 1.5 });
    await desk.goto(`${open.url.replace('0.0.0.0', '127.0.0.1')}/?token=a-token-for-pictures`);
    await desk.click('#phone summary');
    await desk.waitForSelector('#phone-steps li');
    const phone = await browser.newPage({ ...PHONE, ignoreHTTPSErrors: true });
    await phone.goto(await desk.inputValue('#phone-address'));
    await desk.waitForSelector('#phone-steps li:nth-child(3)[aria-current]');
    // Its address is this machine's; readers' machines have others.
    await desk.evaluate(() => {
      const select = document.querySelector('#phone-address');
      select.replaceChildren(new Option('https://192.168.1.20:8080/'));
      select.dispatchEvent(new Event('change'));
    });
    return sharp(await desk.locator('#phone').screenshot());
  } finally {
    await browser.close();
    open.child.kill('SIGTERM');
  }
}

function keep(picture, file) {
  return picture.webp({ quality: 88 }).toFile(path.join(root, 'docs', file));
}

/** Screenshots of parts of the page in columns, on the page's background colour. */
async function columns(page, selectors) {
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const parts = [];
  let [left, height] = [GAP, 0];
  for (const column of selectors) {
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

/** Starts a server with the default settings. What it stores is removed with the folder. */
async function startServer(more = []) {
  const set = [`models.cacheDir=${folder}/cache`, `storage.dir=${folder}/data`, `logging.dir=${folder}/logs`].flatMap(
    (one) => ['--set', one],
  );
  const words = [path.join(root, 'dist/main.js'), 'serve', '--port', '0', ...set, ...more];
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
