/** SwiftShader: Vulkan in software, out of a npm package that tests have anyway. */

import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { brotliDecompressSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { root } from '../../src/lib/package-root.ts';

export interface SoftwareVulkan {
  /** Of a process that is to find it: its loader and its driver. */
  env: Record<string, string>;
  folder: string;
  remove(): void;
}

export async function softwareVulkan(): Promise<SoftwareVulkan> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'faceoff-vulkan-'));
  const packed = readFileSync(path.join(root, 'node_modules/@sparticuz/chromium/bin/swiftshader.tar.br'));
  const tar = extract();
  const unpacking = pipeline(Readable.from([brotliDecompressSync(packed)]), tar);
  for await (const entry of tar)
    await pipeline(entry, createWriteStream(path.join(folder, path.basename(entry.header.name))));
  await unpacking;
  const driver = path.join(folder, 'vk_swiftshader_icd.json');
  return {
    folder,
    env: { VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
