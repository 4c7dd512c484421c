/** Makes the swap's track look to a page like the track of a camera. */

import type { CameraSwap } from './camera-swap.ts';
import { DEVICE } from './constraints.ts';

/**
 * Gives the swap's track, and all its clones, the FaceOff camera's label, settings, capabilities and constraints. The
 * swap ends when the last of them is stopped.
 * @param requested the constraints that the page asked for.
 */
export function dress(swap: CameraSwap, requested: MediaTrackConstraints): MediaStreamTrack {
  const live = new Set<MediaStreamTrack>();
  let constraints = requested;

  function dressOne(track: MediaStreamTrack): MediaStreamTrack {
    live.add(track);
    const native = {
      stop: track.stop.bind(track),
      clone: track.clone.bind(track),
      getSettings: track.getSettings.bind(track),
    };
    const own = {
      stop(): void {
        native.stop();
        live.delete(track);
        if (live.size === 0) swap.close();
      },
      clone: () => dressOne(native.clone()),
      getSettings: () => ({
        ...native.getSettings(),
        ...swap.size,
        ...frameRateOf(swap.camera),
        deviceId: DEVICE.deviceId,
        groupId: DEVICE.groupId,
      }),
      getCapabilities: () => ({
        ...swap.camera?.getCapabilities(),
        deviceId: DEVICE.deviceId,
        groupId: DEVICE.groupId,
      }),
      getConstraints: () => constraints,
      /** The camera takes them; the swapped picture follows it. */
      async applyConstraints(next: MediaTrackConstraints = {}): Promise<void> {
        const { deviceId: _device, groupId: _group, ...rest } = next;
        await swap.camera?.applyConstraints(rest);
        constraints = next;
      },
    };
    Object.defineProperty(track, 'label', { value: DEVICE.label, configurable: true });
    for (const [name, value] of Object.entries(own))
      Object.defineProperty(track, name, { value, configurable: true, writable: true });
    return track;
  }
  return dressOne(swap.track);
}

/** Makes a stream clone its tracks through `dress`; the browser's own clone would copy them undressed. */
export function dressStream(stream: MediaStream): MediaStream {
  const clone = (): MediaStream => dressStream(new MediaStream(stream.getTracks().map((track) => track.clone())));
  Object.defineProperty(stream, 'clone', { value: clone, configurable: true, writable: true });
  return stream;
}

const frameRateOf = (camera: MediaStreamTrack | null): { frameRate?: number } => {
  const { frameRate } = camera?.getSettings() ?? {};
  return frameRate === undefined ? {} : { frameRate };
};
