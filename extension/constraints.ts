/** The constraints that a page gives to getUserMedia (W3C Media Capture and Streams, 10). Free of the DOM, for tests. */

/** The camera as pages know it; ids and name are the same on every page. */
export const DEVICE = { deviceId: 'faceoff-camera', groupId: 'faceoff', label: 'FaceOff Camera' } as const;

type Video = boolean | MediaTrackConstraints | undefined;

/**
 * Whether constraints ask for the FaceOff camera.
 * @param always whether constraints that leave the choice open get the FaceOff camera.
 */
export function isForUs(video: Video, always: boolean): boolean {
  if (video === undefined || video === false) return false;
  if (video === true) return always;
  const { deviceId, groupId, advanced = [] } = video;
  const exact = [...exactly(deviceId), ...exactly(groupId)];
  if (exact.length > 0) return exact.some(isFaceOff);
  const requested = [
    ...ideally(deviceId),
    ...advanced.flatMap((set) => [...exactly(set.deviceId), ...ideally(set.deviceId)]),
  ];
  return requested.length > 0 ? requested.some(isFaceOff) : always;
}

/** The same constraints for the real camera that is swapped, without the choice of a device. */
export function forCamera(video: boolean | MediaTrackConstraints): boolean | MediaTrackConstraints {
  if (typeof video === 'boolean') return video;
  const { advanced, ...rest } = video;
  const constraints = withoutDevice(rest);
  return advanced === undefined ? constraints : { ...constraints, advanced: advanced.map(withoutDevice) };
}

function withoutDevice<T extends MediaTrackConstraintSet>({ deviceId: _device, groupId: _group, ...rest }: T) {
  return rest;
}

const isFaceOff = (id: string): boolean => id === DEVICE.deviceId || id === DEVICE.groupId;

const list = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat());

const exactly = (constraints: ConstrainDOMString | undefined): string[] =>
  typeof constraints === 'object' && !Array.isArray(constraints) ? list(constraints.exact) : [];

/** A bare value is a preference, not a condition. */
const ideally = (constraints: ConstrainDOMString | undefined): string[] =>
  typeof constraints === 'object' && !Array.isArray(constraints) ? list(constraints.ideal) : list(constraints);
