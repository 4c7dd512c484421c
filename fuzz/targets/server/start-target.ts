import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from '../../../src/lib/package-root.ts';
import { mutatedBytes } from '../../mutate/mutate-bytes.ts';
import { checkForStack, Defect, type Target } from '../../run/target.ts';
import { configWithin, keptFiles } from '../parsers/kept-target.ts';
import { spawnProgram } from './fuzz-server.ts';

const MODELS = [
  'models.yaml',
  'face-detector.onnx',
  'face-mesh.onnx',
  'face-geometry.json',
  'portraits/astronaut.webp',
];

/** Whole starts of the program over damaged files, among them the shipped models and config.yaml. */
export const startTarget: Target = {
  name: 'start',
  reads: 'a start of the server over damaged files: data, cache, models, config.yaml',
  share: 2.5,
  hangMs: 60_000,
  growthBytes: 64 * 2 ** 20,
  async open(folder) {
    const base = path.join(folder, 'base');
    await cp(path.join(root, 'models'), path.join(base, 'models'), { recursive: true });
    const kept = await keptFiles(configWithin(base));
    for (const [name, content] of Object.entries(kept)) {
      await cp(path.join(root, 'package.json'), path.join(base, name));
      await writeFile(path.join(base, name), content);
    }
    const files: Record<string, Buffer> = { ...kept, 'config.yaml': await readFile(path.join(root, 'config.yaml')) };
    for (const name of MODELS) files[`models/${name}`] = await readFile(path.join(base, 'models', name));
    return {
      make(random) {
        const name = random.one(Object.keys(files));
        const damaged = mutatedBytes([files[name]!, Buffer.alloc(0)], random);
        return Buffer.concat([Buffer.from(`${name}\n`), damaged]);
      },
      async feed(input) {
        const end = input.indexOf(10);
        const name = input.subarray(0, end).toString();
        const at = await mkdtemp(path.join(folder, 'start-'));
        await cp(base, at, { recursive: true });
        await writeFile(path.join(at, name), input.subarray(end + 1));
        const set = ['models.dir=./models', 'models.cacheDir=./cache', 'storage.dir=./data', 'logging.dir=./logs'];
        const own =
          name === 'config.yaml' ? ['--config', path.join(at, name)] : ['--config', path.join(at, 'own.yaml')];
        await writeFile(path.join(at, 'own.yaml'), '{}');
        const args = [
          ...own,
          '--port',
          '0',
          ...[...set, 'recording.dir=./recordings', 'pipeline.lanes=1'].flatMap((one) => ['--set', one]),
        ];
        // A server that is open to other machines makes and reads its certificate.
        if (name.includes('https-')) args.push('--host', '0.0.0.0', '--set', 'server.token=sixteencharacters');
        const { child, port, tail } = spawnProgram(args);
        try {
          await port;
          return true;
        } catch (error) {
          if (child.signalCode !== null) throw new Defect('crash', `${name}: ${tail()}`);
          if (error instanceof Error && /does not start/.test(error.message))
            throw new Defect('hang', `${name}: ${tail()}`);
          checkForStack(tail());
          return false;
        } finally {
          child.kill('SIGKILL');
          await rm(at, { recursive: true, force: true, maxRetries: 5 });
        }
      },
      close: async () => undefined,
    };
  },
};
