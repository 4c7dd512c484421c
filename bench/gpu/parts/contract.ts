/** The contract of generators and restorers, on the provider that is measured: each profile on its stand-in. */

import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DeviceClient } from '../../../src/pipeline/device/device-client.ts';
import { GeneratorRunner } from '../../../src/pipeline/engines/neural/generator-runner.ts';
import type { ModelDevice } from '../../../src/pipeline/inference/model-device.ts';
import { type EntryOf, readCatalogue } from '../../../src/pipeline/models/catalogue.ts';
import { messageOf } from '../../../src/shared/errors.ts';
import type { Frame } from '../../../src/shared/types.ts';
import { differencesInside, placed, softFrame } from '../../../test/support/painted-face.ts';
import { host } from '../../speed/device-load.ts';
import { type GpuContext, requireProvider } from '../gpu-context.ts';

const [WIDTH, HEIGHT] = [640, 480];
const AT = { side: 230, x: 310, y: 235, angle: 0.2 };

/** What does not hold, by profile; a profile that is not listed holds. */
export async function contract(context: GpuContext) {
  requireProvider(context.provider);
  const catalogue = readCatalogue(path.join(context.material, 'stand-ins'));
  const entries = catalogue.optional.filter(({ profile }) => ['generator', 'restorer'].includes(profile.role));
  const hosted = host(path.join(context.scratch, 'contract'), 4, { provider: context.provider });
  const client = new DeviceClient({ address: hosted.address, yieldWhile: (wait) => wait });
  const broken: Record<string, string[]> = {};
  const providers = new Set<string>();
  try {
    for (const entry of entries as EntryOf<'generator' | 'restorer'>[]) {
      const open = (device: ModelDevice | null) =>
        GeneratorRunner.open(catalogue, entry, {
          threads: 1,
          warmupRuns: 0,
          maxPixels: WIDTH * HEIGHT,
          boost: 1,
          device,
        });
      const wrong = await whatBreaks(entry, open, { client, providers, provider: context.provider }).catch(
        (error: unknown) => [messageOf(error)],
      );
      if (wrong.length > 0) broken[entry.name] = wrong;
      context.note({ broken, providers: [...providers], steps: [...hosted.steps] });
    }
    // The device process reports once a second.
    await delay(1100);
    return { profiles: entries.length, broken, providers: [...providers], steps: [...hosted.steps] };
  } finally {
    client.close();
    await hosted.close();
  }
}

async function whatBreaks(
  { profile }: EntryOf<'generator' | 'restorer'>,
  open: (device: ModelDevice | null) => Promise<GeneratorRunner>,
  { client, providers, provider }: { client: DeviceClient; providers: Set<string>; provider: string },
): Promise<string[]> {
  const { points, five } = placed(profile.template, AT);
  const before = softFrame(WIDTH, HEIGHT, five);
  const [there, here] = [await open(client), await open(null)];
  providers.add(there.provider);
  const source = new Float32Array(
    profile.role === 'restorer' || profile.source.kind === 'none'
      ? 0
      : profile.source.kind === 'embedding'
        ? 512
        : 3 * profile.source.size! ** 2,
  );
  const paint = async (runner: GeneratorRunner, strength: number, colour: number): Promise<Frame> => {
    const frame = { ...before, data: before.data.slice() };
    await runner.paint(frame, points, { source, strength, colour });
    return frame;
  };
  try {
    const wrong: string[] = [];
    if (there.provider !== provider) wrong.push(`runs on ${there.provider}, not on ${provider}`);
    const painted = await paint(there, 1, 0);
    const { inside, outside } = differencesInside(before, painted, profile.template, AT);
    if (outside !== 0) wrong.push(`${outside} bytes outside of the face changed`);
    if (inside.mean >= 0.8 || inside.most >= 10 || inside.changed === 0)
      wrong.push(`an identity model's picture differs by ${inside.mean} in the mean, ${inside.most} at most`);
    const differs = (a: Frame, b: Frame): number =>
      a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!)), 0);
    if (differs(await paint(there, 0, 0), before) > 0) wrong.push('strength zero changes the frame');
    if (differs(await paint(there, 1, 1), painted) > 1) wrong.push('matching colours are changed');
    const most = differs(painted, await paint(here, 1, 0));
    if (most > 2) wrong.push(`differs from the CPU's picture by ${most} levels`);
    return wrong;
  } finally {
    await there.close();
    await here.close();
  }
}
