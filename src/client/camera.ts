/** Cameras: which there are, and a track from the one that was chosen. */

import { make } from './dom.ts';

export interface CameraWish {
  deviceId: string;
  /** `640x480`, or empty for what the camera gives. */
  resolution: string;
}

/** @throws DOMException as getUserMedia does; TypeError where the page may not use cameras at all. */
export async function openCamera({ deviceId, resolution }: CameraWish): Promise<MediaStream> {
  const [width, height] = resolution.split('x').map(Number);
  const video: MediaTrackConstraints = { frameRate: { ideal: 30 } };
  if (deviceId !== '') video.deviceId = { exact: deviceId };
  if (width && height) Object.assign(video, { width: { ideal: width }, height: { ideal: height } });
  return navigator.mediaDevices.getUserMedia({ video, audio: false });
}

/** Fills the list of cameras; names are known only once the camera was allowed. */
export async function listCameras(select: HTMLSelectElement, chosen: string): Promise<void> {
  const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  const cameras = devices.filter(({ kind, deviceId }) => kind === 'videoinput' && deviceId !== '');
  const options = cameras.map(({ deviceId, label }, i) =>
    make('option', { value: deviceId, textContent: label || `Camera ${i + 1}` }),
  );
  select.replaceChildren(make('option', { value: '', textContent: 'Default camera' }), ...options);
  select.value = cameras.some(({ deviceId }) => deviceId === chosen) ? chosen : '';
}
