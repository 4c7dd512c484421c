/**
 * Checks the pieces of a pack and unpacks them: node unpack.mjs FOLDER-OF-PIECES INTO. Needs tar.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';

const [from, into] = process.argv.slice(2);
const { pieces } = JSON.parse(readFileSync(path.join(from, 'manifest.json'), 'utf8'));
const read = ({ name, sha256 }) => {
  const bytes = readFileSync(path.join(from, name));
  if (createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw new Error(`${name} is damaged: carry it again`);
  return bytes;
};
const tar = spawn('tar', ['-C', into, '--no-same-owner', '-xf', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
const ended = new Promise((resolve) => tar.once('close', resolve));
const parts = pieces.filter(({ name }) => name.startsWith('app.'));
async function* bytes() {
  for (const piece of parts) yield read(piece);
}
// tar reads no further than the end of the archive, and may be gone before the last bytes of padding are written.
await pipeline(Readable.from(bytes()), createBrotliDecompress(), tar.stdin).catch((error) => {
  if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
});
const code = await ended;
if (code !== 0) throw new Error(`tar ended with code ${code}`);
