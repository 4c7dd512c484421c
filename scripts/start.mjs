/**
 * Builds, then runs `faceoff` with what follows, in this process. npm passes SIGTERM on to the shell that it starts a script
 * with, which ends without a word to what it runs; so whoever was started by npm ends when that shell is gone.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PARENT_CHECK_MS = 250;

// In a process of its own, as what builds is large and stays where it was loaded.
const build = path.join(path.dirname(fileURLToPath(import.meta.url)), 'build.mjs');
const { status } = spawnSync(process.execPath, [build], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_CHECK_MS);
  watch.unref();
}

await import('../dist/main.js');
