/**
 * Runs in a page: a camera with a clapperboard that flashes and beeps at the same instant, and a witness that notes when
 * flash and beep of a stream are received. Only browser interfaces are used, so the figures are what a viewer would notice.
 */

/** What a witness has noted so far, in milliseconds of the page's clock. */
export interface Claps {
  seenAtMs: number[];
  heardAtMs: number[];
}

declare global {
  interface Window {
    /** Opens the camera; its clapperboard is still. */
    clapper(picture: string): Promise<MediaStream>;
    /** Claps so many times; resolves after the last one. */
    clap(times: number): Promise<void>;
    witness(stream: MediaStream): { claps: Claps; frames: number; stop(): void };
    witnesses: Record<'near' | 'far', ReturnType<Window['witness']>>;
    /** Connections that must not be collected as garbage. */
    kept: { viewer: RTCPeerConnection; publisher: RTCPeerConnection };
  }
}

/** To be given to `page.addInitScript` or `page.evaluate`. */
export function installClapper(): void {
  const EVERY_MS = 1000;
  const LASTS_MS = 200;
  const [WIDTH, HEIGHT, PATCH] = [320, 240, 60];

  /** A camera with a microphone: the picture, with a patch in its corner that is white while the beep sounds. */
  window.clapper = async (picture) => {
    const image = new Image();
    image.src = picture;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [WIDTH, HEIGHT];
    const context = canvas.getContext('2d')!;
    const audio = new AudioContext({ sampleRate: 48000 });
    await audio.resume();
    const gain = audio.createGain();
    gain.gain.value = 0;
    const tone = audio.createOscillator();
    tone.frequency.value = 1000;
    const out = audio.createMediaStreamDestination();
    tone.connect(gain).connect(out);
    tone.start();
    let flashAtMs = 0;
    let left = 0;
    let dot = 0;
    let onDone = (): void => undefined;
    window.clap = (times) => {
      left = times;
      flashAtMs = performance.now() + EVERY_MS;
      return new Promise((resolve) => {
        onDone = resolve;
      });
    };
    setInterval(() => {
      const nowMs = performance.now();
      if (left > 0 && nowMs > flashAtMs + LASTS_MS) {
        gain.gain.value = 0;
        // The interval varies, so that the claps are in step with no other timer.
        flashAtMs += EVERY_MS * (0.85 + 0.3 * Math.random());
        if (--left === 0) onDone();
      }
      const isOn = left > 0 && nowMs >= flashAtMs;
      if (isOn) gain.gain.value = 0.5;
      context.drawImage(image, 0, 0, WIDTH, HEIGHT);
      context.fillStyle = isOn ? '#fff' : '#000';
      context.fillRect(0, HEIGHT - PATCH, PATCH, PATCH);
      // A moving dot, so that every frame differs, as with a real camera.
      context.fillRect(WIDTH - 20, dot++ % HEIGHT, 10, 10);
    }, 1000 / 30);
    return new MediaStream([...canvas.captureStream(30).getVideoTracks(), ...out.stream.getAudioTracks()]);
  };

  window.witness = (stream) => {
    const seen: number[] = [];
    const heard: number[] = [];
    const video = Object.assign(document.createElement('video'), { muted: true, srcObject: stream });
    video.style.cssText = 'position:fixed;left:0;top:0;width:160px';
    document.body.append(video);
    void video.play();
    const eye = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
    let wasOn = false;
    let frames = 0;
    const look = (): void => {
      frames++;
      eye.drawImage(video, 15, video.videoHeight - PATCH + 15, 30, 30, 0, 0, 4, 4);
      const isOn = eye.getImageData(1, 1, 1, 1).data[1]! > 128;
      if (isOn && !wasOn) seen.push(performance.now());
      wasOn = isOn;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);

    const audio = new AudioContext({ sampleRate: 48000 });
    void audio.resume();
    const ear = audio.createAnalyser();
    ear.fftSize = 4096;
    audio.createMediaStreamSource(new MediaStream(stream.getAudioTracks())).connect(ear);
    const samples = new Float32Array(ear.fftSize);
    const timer = setInterval(() => {
      ear.getFloatTimeDomainData(samples);
      const nowMs = performance.now();
      const onset = samples.findIndex((sample) => Math.abs(sample) > 0.1);
      if (onset < 0) return;
      const atMs = nowMs - (1000 * (samples.length - onset)) / audio.sampleRate;
      if (atMs - (heard.at(-1) ?? 0) > LASTS_MS + 200) heard.push(atMs);
    }, 25);
    return {
      get claps(): Claps {
        return { seenAtMs: [...seen], heardAtMs: [...heard] };
      },
      get frames(): number {
        return frames;
      },
      stop() {
        clearInterval(timer);
        video.remove();
        void audio.close();
      },
    };
  };
}
