/**
 * Probes which providers this machine can run, by loading their libraries, and names what is missing for the others.
 */

import { existsSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../../shared/errors.ts';
import { loadProblemOf } from './ffi.ts';
import type { ProviderKind } from './providers.ts';
import { GPU_COMMAND, hasGpuLibraries, runtimeFolder } from './runtime-paths.ts';
import { type VulkanDevice, vulkanDevices } from './vulkan.ts';

/** Why a provider cannot be used. */
export interface Lack {
  /** Whether the provider was set up on this machine, so that its failure is worth a warning. */
  expected: boolean;
  why: string;
}

/** Result of the probe. */
export interface AvailableProviders {
  /** Folder of the ONNX Runtime library to use. */
  folder: string;
  /** What each provider lacks; null where it can be tried. */
  lacks: Record<ProviderKind, Lack | null>;
}

/** Libraries that the CUDA provider loads, with the product that contains each. */
export const CUDA_LIBRARIES: Record<string, string> = {
  'libcuda.so.1': 'the NVIDIA driver, 580 or later',
  'libcudart.so.13': 'CUDA 13',
  'libcublas.so.13': 'CUDA 13',
  'libcublasLt.so.13': 'CUDA 13',
  'libcurand.so.10': 'CUDA 13',
  'libcudnn.so.9': 'cuDNN 9 for CUDA 13',
};
/** Libraries that the TensorRT provider loads in addition, with the product that contains each. */
export const TENSORRT_LIBRARIES: Record<string, string> = {
  'libnvinfer.so.10': 'TensorRT 10',
  'libnvonnxparser.so.10': 'TensorRT 10',
};

/** Probes all providers. Where no GPU libraries were installed, none is loaded and the probe takes no time. */
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
  return { expected: false, why: `the GPU provider libraries are not installed (\`${GPU_COMMAND}\`)` };
}

/** TensorRT needs CUDA's libraries as well. */
function lackOfTensorRT(cuda: Lack | null, folder: string): Lack | null {
  if (cuda !== null && !cuda.expected) return cuda;
  const own = lackOf(folder, 'libonnxruntime_providers_tensorrt.so', TENSORRT_LIBRARIES);
  const why = [cuda, own].flatMap((lack) => (lack === null ? [] : [lack.why]));
  return why.length === 0 ? null : { expected: true, why: why.join('; ') };
}

/** The loader names the first library that is missing, which may be a dependency of the one that was asked for. */
function lackOf(folder: string, provider: string, libraries: Record<string, string>): Lack | null {
  if (!existsSync(path.join(folder, provider))) return { expected: false, why: `${provider} is not in ${folder}` };
  const missing = Object.entries(libraries).flatMap(([name, product]) => {
    const problem = loadProblemOf(name);
    return problem === null ? [] : [{ product, problem: shortened(name, problem) }];
  });
  const products = [...new Set(missing.map(({ product }) => product))];
  const why = products.map((product) => {
    const problems = missing.filter((each) => each.product === product).map(({ problem }) => problem);
    return `${product} is missing or incomplete: ${problems.join(', ')}`;
  });
  return missing.length === 0 ? null : { expected: true, why: why.join('; ') };
}

/** The library's name where it is absent, else the loader's full message. */
function shortened(name: string, problem: string): string {
  return problem.startsWith(`${name}: cannot open shared object file`) ? name : problem;
}

/**
 * A software Vulkan device is slower than the CPU provider: it counts as lacking, and is used only when asked for by
 * name.
 */
function lackOfWebGpu(): Lack | null {
  // Metal and Direct3D are part of the system.
  if (process.platform === 'darwin' || process.platform === 'win32') return null;
  let devices: VulkanDevice[];
  try {
    devices = vulkanDevices();
  } catch (error) {
    return { expected: false, why: `no Vulkan: ${messageOf(error)}` };
  }
  if (devices.some(({ kind }) => kind !== 'cpu')) return null;
  return {
    expected: false,
    why: devices.length === 0 ? 'Vulkan finds no device' : `Vulkan finds software only (${devices[0]!.name})`,
  };
}
