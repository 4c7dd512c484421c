import type { UploadedFace } from '../../../src/faces/face-service.ts';
import { importPack, packOf } from '../../../src/faces/packs/face-pack.ts';
import { openZip } from '../../../src/faces/packs/pack-source.ts';
import type { FaceInfo } from '../../../src/shared/messages.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { holds, type Target } from '../../run/target.ts';

const LIMITS = { bytes: 2 ** 20, photoBytes: 2 ** 18 };

const face = (id: string, photos: number): FaceInfo => ({
  id,
  name: `Face ${id}`,
  builtIn: false,
  addedAt: '2026-01-01T00:00:00.000Z',
  photos,
  licence: id === 'a' ? 'CC0' : null,
  thumbnail: '',
  consentedAt: null,
  consentDue: false,
});

/** Packs of faces: the zip, its list, and no more of its photos than the limits let in. */
export const packTarget: Target = {
  name: 'pack',
  reads: 'openZip (yauzl), importPack',
  share: 1,
  growthBytes: 64 * 2 ** 20,
  async open() {
    const samples = await Promise.all(
      [[1], [2, 3], [8, 1, 1]].map((photos) =>
        packOf({
          list: () => photos.map((count, at) => face('abc'[at]!, count)),
          photo: async (id, index) => Buffer.alloc(700 * (index + 1), id),
        }),
      ),
    );
    return {
      make: (random) => mutatedBytes(samples, random),
      async feed(input) {
        let bytes = 0;
        const add = async ({ data, name, to }: UploadedFace): Promise<FaceInfo> => {
          bytes += data.length;
          holds(data.length <= LIMITS.photoBytes, 'a photo larger than it may be');
          holds(name.length <= 80, 'a name longer than it may be');
          return face(to ?? 'a', 1);
        };
        const source = await openZip(Buffer.from(input));
        try {
          await importPack(source, { add }, LIMITS);
        } finally {
          source.close();
        }
        holds(bytes <= LIMITS.bytes, 'more photos than the pack may hold');
        return true;
      },
      close: async () => undefined,
    };
  },
};
