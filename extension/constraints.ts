/** What a page asks of getUserMedia (W3C Media Capture and Streams, 10). No DOM, so it is tested as it is. */

/** How pages know the camera; the same on every page, as its name is. */
export const DEVICE = { deviceId: 'faceoff-camera', groupId: 'faceoff', label: 'FaceOff Camera' } as const;

type Video = boolean | MediaTrackConstraints | undefined;

/** @param always whether a page that leaves the choice open gets the FaceOff camera. */
export function isForUs(video: Video, always: boolean): boolean {
  if (video === undefined || video === false) return false;
  if (video === true) return always;
  const { deviceId, groupId, advanced = [] } = video;
  const exact = [...exactly(deviceId), ...exactly(groupId)];
  if (exact.length > 0) return exact.some(isUs);
  const requested = [
    ...ideally(deviceId),
    ...advanced.flatMap((set) => [...exactly(set.deviceId), ...ideally(set.deviceId)]),
  ];
  return requested.length > 0 ? requested.some(isUs) : always;
}

/** The same constraints of the real camera that is swapped: all but which one it is. */
export function forCamera(video: boolean | MediaTrackConstraints): boolean | MediaTrackConstraints {
  if (typeof video === 'boolean') return video;
  const { advanced, ...rest } = video;
  const constraints = withoutDevice(rest);
  return advanced === undefined ? constraints : { ...constraints, advanced: advanced.map(withoutDevice) };
}

function withoutDevice<T extends MediaTrackConstraintSet>({ deviceId: _device, groupId: _group, ...rest }: T) {
  return rest;
}

const isUs = (id: string): boolean => id === DEVICE.deviceId || id === DEVICE.groupId;

const list = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat());

const exactly = (constraints: ConstrainDOMString | undefined): string[] =>
  typeof constraints === 'object' && !Array.isArray(constraints) ? list(constraints.exact) : [];

/** A name alone is a constraints, not a condition. */
const ideally = (constraints: ConstrainDOMString | undefined): string[] =>
  typeof constraints === 'object' && !Array.isArray(constraints) ? list(constraints.ideal) : list(constraints);
