/**
 * The home of sharp, which decodes and encodes pictures on threads of its own. libvips below it keeps the last hundred
 * operations with their pixels, for the whole process: a photo would stay in memory after its face was deleted, and no
 * picture here is decoded twice. So it is told to keep none.
 */

import sharp from 'sharp';

export type { Metadata, Sharp } from 'sharp';

sharp.cache(false);

export { sharp };
