/** The WebGPU provider that comes with onnxruntime-node, on a Vulkan device made of software. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildChild, runWith } from '../../support/cuda.ts';
import { type SoftwareVulkan, softwareVulkan } from '../../support/vulkan.ts';

const here = process.platform === 'linux' && process.arch === 'x64';

describe.skipIf(!here)(`WebGPU${here ? '' : ' (skipped: the software device is for Linux on x64)'}`, () => {
  let vulkan: SoftwareVulkan;
  beforeAll(async () => {
    vulkan = await softwareVulkan();
    await buildChild();
  });
  afterAll(() => vulkan?.remove());

  test('gives the same results as the CPU', () => {
    const { answer, status } = runWith(vulkan.folder, 'webgpu', vulkan.env);
    expect(status).toBe(0);
    expect(answer).toMatchObject({ provider: 'webgpu' });
    expect((answer as { difference: number }).difference).toBeLessThan(1e-4);
  });

  test('is not chosen automatically where the device is software', () => {
    const { answer } = runWith(vulkan.folder, 'webgpu', { ...vulkan.env, PROVIDER: 'auto' });
    expect(answer).toMatchObject({ provider: 'cpu', steps: [], difference: 0 });
  });

  test('falls back to the CPU without a device and reports the cause once', () => {
    const env = { VK_DRIVER_FILES: '/nowhere', VK_ICD_FILENAMES: '/nowhere' };
    const { answer, status } = runWith(vulkan.folder, 'webgpu', env);
    expect(status).toBe(0);
    const { provider, steps } = answer as { provider: string; steps: { from: string; to: string; why: string }[] };
    expect(provider).toBe('cpu');
    expect(steps).toHaveLength(1);
    expect(steps[0]).toMatchObject({ from: 'webgpu', to: 'cpu', why: expect.stringMatching(/Vulkan/) });
  });
});
