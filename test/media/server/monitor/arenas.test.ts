import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Publisher } from '../../../support/publisher.ts';
import { startProgram, until } from '../../../support/server.ts';

const ARENA_BYTES = 64 * 2 ** 20;
const isGlibc =
  process.platform === 'linux' &&
  (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime !== undefined;

/** Number of glibc's arenas of a process: private memory that begins at a multiple of 64 MiB and, with what is reserved behind it, ends at one. */
function arenasOf(pid: number): number {
  const regions = readFileSync(`/proc/${pid}/maps`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+\s*(.*)$/.exec(line)!)
    .map(([, from, to, rights, name]) => ({
      from: Number.parseInt(from!, 16),
      to: Number.parseInt(to!, 16),
      rights,
      name,
    }));
  return regions.filter(({ from, to, rights, name }, n) => {
    if (name !== '' || rights !== 'rw-p' || from % ARENA_BYTES !== 0) return false;
    const end = regions[n + 1]?.from === to && regions[n + 1]?.rights === '---p' ? regions[n + 1]!.to : to;
    return end - from === ARENA_BYTES;
  }).length;
}

test.skipIf(!isGlibc)('a server with sessions has few arenas, however many threads it has', async () => {
  const server = await startProgram(['--set', 'swap.engine=none']);
  const cameras = Array.from({ length: 3 }, () => new Publisher());
  try {
    for (const camera of cameras) {
      camera.send(320, 240);
      expect((await camera.whip(server.url)).status).toBe(201);
    }
    await until(() => cameras.every(({ received }) => received.length > 5), 'pictures');
    const arenas = arenasOf(server.child.pid!);
    expect(arenas).toBeGreaterThan(0);
    // Threads that ran before the limit was set may have made some more than four.
    expect(arenas).toBeLessThanOrEqual(7);
  } finally {
    for (const camera of cameras) camera.close();
    await server.stop();
  }
});
