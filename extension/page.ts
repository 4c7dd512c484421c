/** In the page's own world, before its scripts: adds the FaceOff camera to what the page finds and may open. */

import { askExtension } from './ask-extension.ts';
import { CameraSwap } from './camera-swap.ts';
import { DEVICE, forCamera, isForUs } from './constraints.ts';
import { dress, dressStream } from './dress-track.ts';

/** Set where it is installed already: the popup installs it into a page that was open before. */
const INSTALLED = Symbol.for('faceoff');

function install(): void {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  // Pages that are not secure have no cameras at all.
  if (devices === undefined || INSTALLED in devices) return;
  Object.defineProperty(devices, INSTALLED, { value: true });
  const enumerate = MediaDevices.prototype.enumerateDevices;
  const open = MediaDevices.prototype.getUserMedia;
  let mayName = false;

  MediaDevices.prototype.enumerateDevices = async function enumerateDevices() {
    const found = await enumerate.call(this);
    const cameras = found.filter(({ kind }) => kind === 'videoinput');
    // Before a page may use a camera it learns no more than that there is one.
    const isNamed = mayName || cameras.some(({ label }) => label !== '');
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
    // The browser asks the person as for any camera, with the microphone in one question.
    const own = await open.call(this, { ...constraints, video: forCamera(video) });
    mayName = true;
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

  // A page that asked before learns that there is one camera more.
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
