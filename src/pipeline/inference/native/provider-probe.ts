/** What this machine can run models on: found by loading, not by guessing, and with what is missing where it cannot. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { complaintAbout } from './ffi.ts';
import type { ProviderKind } from './providers.ts';
import { hasGpuLibraries, runtimeFolder } from './runtime-paths.ts';
import { type VulkanDevice, vulkanDevices } from './vulkan.ts';

/** Why a provider cannot be used. */
export interface Lack {
  /** Somebody set it up, so that it is worth telling that it does not work. */
  expected: boolean;
  why: string;
}

export interface AvailableProviders {
  /** Of the ONNX Runtime library to use. */
  folder: string;
  /** Null: it can be tried. */
  lacks: Record<ProviderKind, Lack | null>;
}

/** What the provider libraries load, and what brings it. */
export const CUDA_LIBRARIES: Record<string, string> = {
  'libcuda.so.1': 'the NVIDIA driver, 580 or later',
  'libcudart.so.13': 'CUDA 13',
  'libcublas.so.13': 'CUDA 13',
  'libcublasLt.so.13': 'CUDA 13',
  'libcurand.so.10': 'CUDA 13',
  'libcudnn.so.9': 'cuDNN 9 for CUDA 13',
};
export const TENSORRT_LIBRARIES: Record<string, string> = {
  'libnvinfer.so.10': 'TensorRT 10',
  'libnvonnxparser.so.10': 'TensorRT 10',
};

/** Loads no GPU library where none was installed: then it takes no time. */
export function probeProviders(cacheDir: string): AvailableProviders {
  const folder = runtimeFolder(cacheDir);
  const cuda = lackOfCuda(cacheDir, folder);
  return {
    folder,
    lacks: {
      cpu: null,
      cuda,
      tensorrt: lackOfTensorRT(cuda, folder),
      webgpu: lackOfWebGpu(),
    },
  };
}

function lackOfCuda(cacheDir: string, folder: string): Lack | null {
  if (hasGpuLibraries(cacheDir)) return lackOf(folder, 'libonnxruntime_providers_cuda.so', CUDA_LIBRARIES);
  return { expected: false, why: 'the GPU provider libraries are not installed (`npm run gpu:install`)' };
}

/** It needs CUDA's libraries as well. */
function lackOfTensorRT(cuda: Lack | null, folder: string): Lack | null {
  if (cuda !== null && !cuda.expected) return cuda;
  const own = lackOf(folder, 'libonnxruntime_providers_tensorrt.so', TENSORRT_LIBRARIES);
  const why = [cuda, own].flatMap((lack) => (lack === null ? [] : [lack.why]));
  return why.length === 0 ? null : { expected: true, why: why.join('; ') };
}

/** The system names the first library that is missing, which may be one that another needs. */
function lackOf(folder: string, provider: string, libraries: Record<string, string>): Lack | null {
  if (!existsSync(path.join(folder, provider))) return { expected: false, why: `${provider} is not in ${folder}` };
  const missing = Object.entries(libraries).flatMap(([name, bringer]) => {
    const complaint = complaintAbout(name);
    return complaint === null ? [] : [{ bringer, said: shortened(name, complaint) }];
  });
  const bringers = [...new Set(missing.map(({ bringer }) => bringer))];
  const why = bringers.map((one) => {
    const said = missing.filter(({ bringer }) => bringer === one).map((each) => each.said);
    return `${one} is missing or incomplete: ${said.join(', ')}`;
  });
  return missing.length === 0 ? null : { expected: true, why: why.join('; ') };
}

/** The loader's own words only where they say more than that the file is not there. */
function shortened(name: string, complaint: string): string {
  return complaint.startsWith(`${name}: cannot open shared object file`) ? name : complaint;
}

/** A device that draws in software is slower than the CPU provider: it is taken only when asked for by name. */
function lackOfWebGpu(): Lack | null {
  // Metal and Direct3D are part of the system.
  if (process.platform === 'darwin' || process.platform === 'win32') return null;
  let devices: VulkanDevice[];
  try {
    devices = vulkanDevices();
  } catch (error) {
    return { expected: false, why: `no Vulkan: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (devices.some(({ kind }) => kind !== 'cpu')) return null;
  return {
    expected: false,
    why: devices.length === 0 ? 'Vulkan finds no device' : `Vulkan finds software only (${devices[0]!.name})`,
  };
}
