/** Lists the Vulkan devices of this machine, on which the WebGPU provider runs under Linux. */

import { addressOf, openLibrary, type Pointer } from './ffi.ts';

/** VkPhysicalDeviceType, in its order. */
const KINDS = ['other', 'integrated', 'discrete', 'virtual', 'cpu'] as const;

/** A physical device of Vulkan. */
export interface VulkanDevice {
  name: string;
  /** `cpu` is software rendering: it works, slower than the CPU provider. */
  kind: (typeof KINDS)[number];
}

/** Sizes of VkInstanceCreateInfo and VkPhysicalDeviceProperties, the latter rounded up. */
const CREATE_INFO_BYTES = 64;
const PROPERTIES_BYTES = 2048;
const VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO = 1;
const KIND_AT = 16;
const NAME_AT = 20;
const NAME_BYTES = 256;

/** All devices, in the loader's order. @throws Error when there is no Vulkan loader, or it has no driver. */
export function vulkanDevices(): VulkanDevice[] {
  const library = openLibrary(process.platform === 'win32' ? 'vulkan-1.dll' : 'libvulkan.so.1');
  const create = library.func('vkCreateInstance', 'int', ['void *', 'void *', 'void *']);
  const destroy = library.func('vkDestroyInstance', 'void', ['void *', 'void *']);
  const enumerate = library.func('vkEnumeratePhysicalDevices', 'int', ['void *', 'void *', 'void *']);
  const properties = library.func('vkGetPhysicalDeviceProperties', 'void', ['void *', 'void *']);
  const info = Buffer.alloc(CREATE_INFO_BYTES);
  info.writeUInt32LE(VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, 0);
  const out = new BigUint64Array(1);
  const status = create(info, null, addressOf(out));
  if (status !== 0) throw new Error(`the Vulkan loader has no driver that works (VkResult ${String(status)})`);
  const instance = out[0]!;
  try {
    const count = new Uint32Array(1);
    enumerate(instance, addressOf(count), null);
    const handles = new BigUint64Array(Math.max(1, count[0]!));
    enumerate(instance, addressOf(count), addressOf(handles));
    return [...handles.subarray(0, count[0]!)].map((handle: Pointer) => {
      const bytes = Buffer.alloc(PROPERTIES_BYTES);
      properties(handle, addressOf(bytes));
      const name = bytes.toString('utf8', NAME_AT, NAME_AT + NAME_BYTES).replace(/\0.*$/s, '');
      return { name, kind: KINDS[bytes.readUInt32LE(KIND_AT)] ?? 'other' };
    });
  } finally {
    destroy(instance, null);
  }
}
