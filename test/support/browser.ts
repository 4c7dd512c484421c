/** A real Chromium: one on the PATH, else the one that an npm devDependency carries, bare machines included. */

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import type { Browser, BrowserContext, LaunchOptions, Page, Worker } from 'playwright-core';
import { chromium } from 'playwright-core';
import { root } from '../../src/lib/package-root.ts';
import { writeClip } from './clip.ts';
import { cutFrame, group } from './lane.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function onPath(): string | null {
  for (const name of NAMES) {
    const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return null;
}

/** What starts it. @param camera a y4m or mjpeg file that plays as the camera; without one Chromium's own test picture does. */
async function optionsFor(
  camera: string | undefined,
  flags: string[],
): Promise<LaunchOptions & { executablePath: string }> {
  const args = [...FLAGS, ...flags, '--use-fake-device-for-media-stream'];
  if (camera !== undefined) args.push(`--use-file-for-fake-video-capture=${camera}`);
  const found = process.env.FACEOFF_TEST_CHROMIUM ?? onPath();
  if (found !== null) return { executablePath: found, args };
  const { default: carried } = await import('@sparticuz/chromium');
  const executablePath = await carried.executablePath();
  // A bare Debian lacks libraries and every font, without which Chromium dies at the first text; the package carries both.
  const folder = path.join(root, 'node_modules/@sparticuz/chromium');
  const { inflate } = (await import(path.join(folder, 'build/esm/lambdafs.js'))) as {
    inflate(file: string): Promise<string>;
  };
  const libraries = path.join(await inflate(path.join(folder, 'bin/al2023.tar.br')), 'lib');
  const fonts = await inflate(path.join(folder, 'bin/fonts.tar.br'));
  const own = carried.args.filter((flag) => flag !== '--single-process' && !flag.startsWith('--headless'));
  return {
    executablePath,
    args: [...own, ...args],
    env: { ...process.env, LD_LIBRARY_PATH: libraries, FONTCONFIG_PATH: fonts },
  };
}

/**
 * @param camera a y4m or mjpeg file that plays as the camera.
 * @param wrap gives the program that is started instead, for instance one that runs it on another network.
 */
export async function launchBrowser(
  camera?: string,
  flags: string[] = [],
  wrap: (executable: string) => string = (executable) => executable,
): Promise<Browser> {
  const options = await optionsFor(camera, ['--use-fake-ui-for-media-stream', ...flags]);
  return chromium.launch({ ...options, executablePath: wrap(options.executablePath) });
}

/**
 * A browser of its own with an unpacked extension in it. Pages may use the camera when the test grants it; null where this Chromium takes none, as a headless shell does.
 */
export async function launchWithExtension(
  folder: string,
  camera?: string,
  flags: string[] = [],
): Promise<{ context: BrowserContext; worker: Worker } | null> {
  const options = await optionsFor(camera, [
    `--load-extension=${folder}`,
    `--disable-extensions-except=${folder}`,
    '--headless=new',
    '--disable-features=DisableLoadExtensionCommandLineSwitch',
    ...flags,
  ]);
  const context = await chromium.launchPersistentContext('', {
    ...options,
    ignoreDefaultArgs: ['--disable-extensions'],
  });
  const worker =
    context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker', { timeout: 10_000 }).catch(() => null));
  if (worker !== null) return { context, worker };
  await context.close();
  return null;
}

/** A browser whose camera shows a person. */
export async function launchWithPerson(): Promise<Browser> {
  return launchBrowser(
    writeClip(await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480), 30),
  );
}

/** A new studio page in which faces can be chosen. */
export async function openStudio(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(url);
  await page.waitForSelector('[data-face-id="astronaut"]');
  return page;
}

/** A new studio page whose camera is live. */
export async function startStudio(browser: Browser, url: string): Promise<Page> {
  const page = await openStudio(browser, url);
  await page.selectOption('#resolution', '640x480');
  await page.click('#start');
  await page.waitForSelector('body[data-state="live"]', { timeout: 15_000 });
  return page;
}
