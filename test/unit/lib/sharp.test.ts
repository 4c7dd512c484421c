import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../../src/lib/package-root.ts';
import { sharp } from '../../../src/lib/sharp.ts';

test('a picture that was decoded is not kept in memory', async () => {
  const photo = readFileSync(path.join(root, 'models/portraits/astronaut.webp'));
  await sharp(photo).resize(64).removeAlpha().raw().toBuffer();
  expect(sharp.cache().items.current).toBe(0);
});
