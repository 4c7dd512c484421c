import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createSecureContext } from 'node:tls';
import { pino } from 'pino';
import sharp from 'sharp';
import { reportOf } from '../../../src/cache/cache-report.ts';
import { sweep } from '../../../src/cache/cleanup.ts';
import { heldIn } from '../../../src/cache/leases.ts';
import { type Config, defaultConfig } from '../../../src/config.ts';
import { consentsIn } from '../../../src/faces/consent.ts';
import { FaceLibrary } from '../../../src/faces/face-library.ts';
import { root } from '../../../src/lib/package-root.ts';
import { BatchTuning } from '../../../src/pipeline/device/batch-tuning.ts';
import { Artefacts, keyOf } from '../../../src/pipeline/inference/artefacts.ts';
import { readCatalogue } from '../../../src/pipeline/models/catalogue.ts';
import { expectedDigest } from '../../../src/pipeline/models/model-store.ts';
import type { Pool } from '../../../src/pipeline/pool/pool.ts';
import { certificateOf } from '../../../src/server/access/certificate.ts';
import { DisclosureRecord } from '../../../src/server/disclosure/disclosure-record.ts';
import { RecordingsFolder } from '../../../src/server/recording/recordings-folder.ts';
import { PresetStore } from '../../../src/server/session/presets.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { type Json, mutatedJson } from '../../mutate/mutate-json.ts';
import { mutatedText } from '../../mutate/mutate-text.ts';
import { holds, type Target } from '../../run/target.ts';

const FACE = '5f8b2c4e-0a6d-4b7e-9c1d-2e3f4a5b6c7d';
const PARTS = { model: 'generator', batch: 1 };
const ARTEFACT = `cache/optimised/${keyOf(PARTS)}`;
const MODEL = 'hyperswap_1a_256';
const log = pino({ level: 'silent' });

/** A pool that only takes note of faces: no lane is needed to read them. */
const pool = { offer: () => undefined, withdraw: () => undefined, analyse: async () => [] } as unknown as Pool;

/** A configuration that keeps everything in one folder, and whose server is open to other machines. */
export function configWithin(folder: string): Config {
  const at = (name: string): string => path.join(folder, name);
  const standard = defaultConfig();
  return {
    ...standard,
    server: { ...standard.server, host: '0.0.0.0', token: 'sixteencharacters' },
    storage: { dir: at('data') },
    models: { ...standard.models, dir: at('models'), cacheDir: at('cache') },
    recording: { ...standard.recording, dir: at('recordings') },
  };
}

/** Every file that the program keeps between two starts, with content as it writes it. */
export async function keptFiles(config: Config): Promise<Record<string, Buffer>> {
  const photo = await sharp(path.join(root, 'models/portraits/astronaut.webp'))
    .resize(64)
    .webp({ lossless: true })
    .toBuffer();
  const model = Buffer.from('a model, optimised');
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value, null, 2));
  const certificate = (await certificateOf(config))!;
  const sha256 = createHash('sha256').update(model).digest('hex');
  return {
    'data/presets.json': json([
      { name: 'On air', settings: { strength: 0.5, face: 'astronaut', keepEyes: true } },
      { name: 'Off', settings: { on: false } },
    ]),
    [`data/faces/${FACE}/face.json`]: json({ name: 'Me', addedAt: '2026-11-29T10:00:00.000Z', photos: ['photo.webp'] }),
    [`data/faces/${FACE}/photo.webp`]: photo,
    [`data/faces/${FACE}/consent.json`]: json([
      {
        statement: 'I may use it.',
        confirmedAt: '2026-11-29T10:00:00.000Z',
        confirmedBy: null,
        photos: [{ photo: 'photo.webp', sha256, uploadSha256: null }],
      },
    ]),
    'data/disclosure.json': json([{ at: '2026-11-29T10:00:00.000Z', by: 'api', session: 'x', acknowledged: 'Yes.' }]),
    'data/https-certificate.pem': Buffer.from(certificate.cert),
    'data/https-key.pem': Buffer.from(certificate.key),
    'cache/tuning/batches.json': json({ 'a|cpu|b|2|x': { best: 4, loneMs: 12.5 } }),
    [`${ARTEFACT}/model.onnx`]: model,
    [`${ARTEFACT}/manifest.json`]: json({
      parts: PARTS,
      files: { 'model.onnx': { bytes: model.length, sha256 } },
      madeAt: '2026-11-29T10:00:00.000Z',
      tookMs: 10,
    }),
    [`cache/.in-use/${process.pid}-abcd.json`]: json(['optimised/', 'tensorrt/x']),
    'models/optional/models.yaml': Buffer.from(
      `optional:\n  - name: mine\n    file: mine.onnx\n    url: null\n    sha256: null\n    bytes: null\n    licence: MIT\n    commercialUse: true\n    profile: {role: converter, length: 512}\n`,
    ),
    'models/optional/mine.onnx.sha256': Buffer.from(`${sha256}  mine.onnx\n`),
    'recordings/.part-999999999-studio_2026-11-29_10-00-00.webm': Buffer.from([
      0x1a, 0x45, 0xdf, 0xa3, 0x1f, 0x43, 0xb6, 0x75,
    ]),
  };
}

/** Opens what reads a file, as a start of the program and its first requests do. */
async function openReader(file: string, config: Config): Promise<void> {
  const cacheDir = config.models.cacheDir;
  if (file === 'data/presets.json') {
    const presets = await PresetStore.open(config, log);
    for (const { name } of presets.list()) presets.get(name);
    await presets.save({ name: 'new', settings: { on: true } });
  } else if (file.startsWith('data/faces/')) {
    const faces = await FaceLibrary.open(config, pool, log);
    holds(faces.list().length >= 1, 'the shipped face is gone');
    await consentsIn(config).catch(() => []);
    for (const { id } of faces.list()) if (id === FACE) await faces.thumbnail(id).then(() => faces.portraits(id));
  } else if (file === 'data/disclosure.json') {
    await new DisclosureRecord(config).add('api');
  } else if (file.startsWith('data/https-')) {
    // Throws where the key does not fit the certificate.
    createSecureContext((await certificateOf(config))!);
  } else if (file.startsWith('cache/optimised/')) {
    const folder = await new Artefacts(path.join(cacheDir, 'optimised')).find(PARTS);
    if (folder === null) return;
    const model = await readFile(path.join(folder, 'model.onnx'), 'utf8').catch(() => null);
    holds(model === 'a model, optimised', 'a damaged artefact is taken for whole');
  } else if (file.startsWith('cache/')) {
    await new BatchTuning(cacheDir, 'x').find('a', 'cpu');
    (await heldIn(cacheDir))('optimised/x');
    await reportOf(cacheDir);
    await sweep(cacheDir, config.cache);
  } else if (file.startsWith('models/')) {
    const catalogue = readCatalogue(config.models.dir);
    for (const entry of catalogue.optional) if (entry.name === 'mine') await expectedDigest(catalogue, entry);
    catalogue.named(MODEL, 'generator');
  } else {
    const recordings = new RecordingsFolder(config.recording);
    await recordings.recover();
    for (const { file: name } of await recordings.list()) await recordings.remove(name);
  }
}

/** Files that the program keeps, damaged on disk while it did not run. */
export const keptTarget: Target = {
  name: 'kept',
  reads:
    'faces, consents, presets, choices of the mark, certificate, cache, tuning, leases, added models, unfinished recordings, damaged on disk',
  share: 1.5,
  growthBytes: 64 * 2 ** 20,
  async open(folder) {
    const at = (name: string): string => path.join(folder, name);
    const config = configWithin(folder);
    await mkdir(at('models'), { recursive: true });
    await writeFile(at('models/models.yaml'), await readFile(path.join(root, 'models/models.yaml')));
    await mkdir(at('models/portraits'));
    await writeFile(
      at('models/portraits/astronaut.webp'),
      await readFile(path.join(root, 'models/portraits/astronaut.webp')),
    );
    const files = await keptFiles(config);
    const write = async (name: string, content: Uint8Array): Promise<void> => {
      await mkdir(path.dirname(at(name)), { recursive: true });
      await writeFile(at(name), content);
    };
    for (const [name, content] of Object.entries(files)) await write(name, content);
    // A certificate takes a while to make.
    const names = Object.keys(files).filter((name) => !name.includes('https-'));
    return {
      make(random) {
        const name = random.chance(0.05) ? random.one(Object.keys(files)) : random.one(names);
        const text = files[name]!.toString();
        const isJson = name.endsWith('.json') && random.chance(0.6);
        const damaged = isJson
          ? Buffer.from(mutatedJson([JSON.parse(text) as Json], random))
          : name.endsWith('.yaml') && random.chance(0.6)
            ? Buffer.from(mutatedText([text], random))
            : mutatedBytes([files[name]!, Buffer.alloc(0), Buffer.alloc(4096)], random);
        return Buffer.concat([Buffer.from(`${name}\n`), damaged]);
      },
      async feed(input) {
        const end = input.indexOf(10);
        const name = input.subarray(0, end).toString();
        await write(name, input.subarray(end + 1));
        try {
          await openReader(name, config);
          return true;
        } finally {
          await rm(at(name.startsWith(ARTEFACT) ? ARTEFACT : name), { recursive: true, force: true });
          const group = Object.entries(files).filter(([other]) => path.dirname(other) === path.dirname(name));
          for (const [other, content] of group) await write(other, content);
        }
      },
      usedBytes: async () => process.memoryUsage.rss(),
      close: async () => undefined,
    };
  },
};
