/**
 * Builds LiveKit's server into cache/livekit-server, for the tests of `faceoff agent` and for trials: five minutes of
 * processor time and Go, once. LiveKit publishes binaries and images, too; this way needs Go's module proxy alone.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The last release whose go.mod has no `replace` lines, which `go install` refuses. */
const VERSION = 'v1.13.5';
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const folder = path.join(root, 'cache', 'livekit-server');
const binary = path.join(folder, `livekit-server-${VERSION}`);

const go = ['go', '/usr/local/go/bin/go'].find((name) => spawnSync(name, ['version']).status === 0);
if (existsSync(binary)) {
  console.log(`LiveKit ${VERSION} is in ${binary}.`);
} else if (go === undefined) {
  console.error(
    'Go is not installed: https://go.dev/dl, or take a binary of LiveKit and name it in FACEOFF_TEST_LIVEKIT.',
  );
  process.exit(1);
} else {
  console.log(`Building LiveKit ${VERSION}: about five minutes.`);
  const work = path.join(folder, 'go');
  mkdirSync(work, { recursive: true });
  // Go's own folders would keep more than a gigabyte.
  const own = { GOPATH: path.join(work, 'path'), GOCACHE: path.join(work, 'build') };
  const env = { ...own, ...process.env, GOBIN: work, GOFLAGS: '-mod=mod' };
  execFileSync(
    go,
    ['install', '-trimpath', '-ldflags=-s -w', `github.com/livekit/livekit-server/cmd/server@${VERSION}`],
    {
      env,
      stdio: 'inherit',
    },
  );
  renameSync(path.join(work, 'server'), binary);
  // The module cache is read-only, but for Go itself.
  if (env.GOPATH === own.GOPATH) spawnSync(go, ['clean', '-modcache'], { env });
  rmSync(work, { recursive: true, force: true });
  console.log(`LiveKit ${VERSION} is in ${binary}.`);
}
