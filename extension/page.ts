/**
 * Runs in the page's own world, before its scripts: adds the FaceOff camera to the devices that the page finds and may
 * open.
 */

import { askExtension } from './ask-extension.ts';
import { CameraSwap } from './camera-swap.ts';
import { DEVICE, forCamera, isForUs } from './constraints.ts';
import { dress, dressStream } from './dress-track.ts';

/** Marks a page that has this script: the popup injects it into an open page, which may have it already. */
const INSTALLED = Symbol.for('faceoff');

function install(): void {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  // Insecure pages have no cameras at all.
  if (devices === undefined || INSTALLED in devices) return;
  Object.defineProperty(devices, INSTALLED, { value: true });
  const enumerate = MediaDevices.prototype.enumerateDevices;
  const open = MediaDevices.prototype.getUserMedia;
  let mayReadLabels = false;

  MediaDevices.prototype.enumerateDevices = async function enumerateDevices() {
    const found = await enumerate.call(this);
    const cameras = found.filter(({ kind }) => kind === 'videoinput');
    // Before a page may use a camera, it learns only that there is one.
    const isNamed = mayReadLabels || cameras.some(({ label }) => label !== '');
    if (!isNamed) return cameras.length > 0 ? found : [...found, deviceInfo('', '', '')];
    const named = cameras.filter(({ deviceId }) => deviceId !== '');
    const others = found.filter((device) => device.kind !== 'videoinput');
    return [...others, ...named, deviceInfo(DEVICE.deviceId, DEVICE.groupId, DEVICE.label)];
  };

  MediaDevices.prototype.getUserMedia = async function getUserMedia(constraints: MediaStreamConstraints = {}) {
    const { video } = constraints;
    const chosen = await askExtension({ do: 'choose' });
    const { mode, always } = chosen.ok && 'mode' in chosen ? chosen : { mode: 'camera', always: false };
    if (!video || !isForUs(video, always)) return open.call(this, constraints);
    // The browser asks the person's permission as for any camera, together with the microphone.
    const own = await open.call(this, { ...constraints, video: forCamera(video) });
    mayReadLabels = true;
    const [camera] = own.getVideoTracks() as [MediaStreamTrack];
    if (mode === 'stream') camera.stop();
    try {
      const swap = await CameraSwap.open(mode === 'stream' ? null : camera);
      const track = dress(swap, video === true ? {} : video);
      return dressStream(new MediaStream([...own.getAudioTracks(), track]));
    } catch (error) {
      for (const track of own.getTracks()) track.stop();
      throw error;
    }
  };

  // A page that listed its devices before learns that there is one more.
  if (document.readyState !== 'loading') devices.dispatchEvent(new Event('devicechange'));
}

function deviceInfo(deviceId: string, groupId: string, label: string): MediaDeviceInfo {
  const facts = { deviceId, groupId, label, kind: 'videoinput' };
  const info = Object.create(InputDeviceInfo.prototype) as InputDeviceInfo;
  for (const [name, value] of Object.entries(facts)) Object.defineProperty(info, name, { value, enumerable: true });
  Object.defineProperty(info, 'toJSON', { value: () => facts });
  Object.defineProperty(info, 'getCapabilities', { value: () => (deviceId === '' ? {} : { deviceId, groupId }) });
  return info;
}

install();
