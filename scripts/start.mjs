/**
 * Builds, where the build tools are installed, then runs `faceoff` with the arguments that follow, in this process.
 *
 * npm starts a script in a shell and signals only that shell; dash keeps SIGINT to itself. The scripts of package.json
 * therefore begin with `exec`, which puts this process in the shell's place, so that it gets the signals itself (exec.cmd
 * does the same for Windows). src/lib/npm-parent.ts ends it where npm is gone without having passed a signal on.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.dirname(fileURLToPath(import.meta.url));

function isInstalled(name) {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

if (isInstalled('esbuild') && isInstalled('assemblyscript')) {
  // In a process of its own, as the build tools are large and stay in memory.
  const { status } = spawnSync(process.execPath, [path.join(folder, 'build.mjs')], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
} else if (!existsSync(path.join(folder, '../dist/main.js'))) {
  console.error('FaceOff is not built, and the build tools are not installed: run `npm ci && npm run build` once.');
  process.exit(1);
}

await import('../dist/main.js');
