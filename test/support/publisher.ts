/** A WebRTC client in this process: sends pictures, and sound if it is to, counts what comes back. */

import wrtc, { type RTCPeerConnection } from '@roamhq/wrtc';

/** Samples of ten milliseconds. */
const PIECE = 480;

export class Publisher {
  readonly connection: RTCPeerConnection = new wrtc.RTCPeerConnection({});
  readonly #source = new wrtc.nonstandard.RTCVideoSource();
  readonly #track = this.#source.createTrack();
  #sinks: { stop(): void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #microphone: { timer: NodeJS.Timeout; track: { stop(): void } } | null = null;
  /** Pictures sent so far. */
  sent = 0;
  readonly received: { width: number; height: number }[] = [];
  /** When each came. */
  readonly timesMs: number[] = [];
  /** The last picture that came back, I420. */
  picture: Uint8Array = new Uint8Array();
  location = '';

  /** @param layout one section both ways, or two: one sends, one receives. */
  constructor(layout: 'sendrecv' | 'separate' = 'sendrecv') {
    const connection = this.connection as RTCPeerConnection & { ontrack: ((event: { track: never }) => void) | null };
    connection.ontrack = ({ track }) => {
      const sink = new wrtc.nonstandard.RTCVideoSink(track);
      sink.onframe = ({ frame: { width, height, data } }) => {
        this.received.push({ width, height });
        this.timesMs.push(performance.now());
        this.picture = data;
      };
      this.#sinks.push(sink);
    };
    this.connection.addTransceiver(this.#track, { direction: layout === 'sendrecv' ? 'sendrecv' : 'sendonly' });
    if (layout === 'separate') this.connection.addTransceiver('video', { direction: 'recvonly' });
  }

  /** Sends bluish pictures of this size, 20 a second. */
  send(width: number, height: number): void {
    clearInterval(this.#timer);
    const chroma = Math.ceil(width / 2) * Math.ceil(height / 2);
    const data = new Uint8Array(width * height + 2 * chroma).fill(120);
    data.fill(170, width * height, width * height + chroma).fill(90, width * height + chroma);
    let n = 0;
    this.#timer = setInterval(() => {
      data.fill(60 + (n++ % 100), 0, width * 8);
      this.#source.onFrame({ width, height, data });
      this.sent++;
    }, 50);
  }

  /** Sends pictures (I420, all of one size) over and over, or those that `which` gives the numbers of. */
  play(
    { width, height }: { width: number; height: number },
    pictures: readonly Uint8Array[],
    fps: number,
    which?: (n: number) => number,
  ): void {
    clearInterval(this.#timer);
    let n = 0;
    this.#timer = setInterval(() => {
      const data = pictures[which?.(n) ?? n % pictures.length]!;
      n++;
      this.#source.onFrame({ width, height, data });
      this.sent++;
    }, 1000 / fps);
  }

  silence(): void {
    clearInterval(this.#timer);
  }

  /** Opens a microphone, before anything is offered, that hums while `isLoud` says so. */
  hum(isLoud: () => boolean = () => true): void {
    const source = new wrtc.nonstandard.RTCAudioSource();
    const track = source.createTrack();
    this.connection.addTransceiver(track, { direction: 'sendonly' });
    let phase = 0;
    const timer = setInterval(() => {
      const level = isLoud() ? 12_000 : 0;
      const samples = Int16Array.from({ length: PIECE }, () => {
        phase += 0.05;
        return level * Math.sin(phase);
      });
      source.onData({ samples, sampleRate: 48_000, channelCount: 1, numberOfFrames: PIECE, bitsPerSample: 16 });
    }, 10);
    this.#microphone = { timer, track };
  }

  /** The microphone is taken away. */
  unplug(): void {
    clearInterval(this.#microphone?.timer);
    this.#microphone?.track.stop();
    this.#microphone = null;
  }

  async offer(): Promise<string> {
    await this.connection.setLocalDescription(await this.connection.createOffer());
    if (this.connection.iceGatheringState !== 'complete') {
      await new Promise<void>((resolve) => {
        this.connection.onicegatheringstatechange = () => this.connection.iceGatheringState === 'complete' && resolve();
      });
    }
    return this.connection.localDescription!.sdp;
  }

  /** Publishes by WHIP. @returns the HTTP answer, already applied when it is 201. */
  async whip(url: string, query = '', headers: Record<string, string> = {}): Promise<Response> {
    const answer = await fetch(`${url}/whip${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...headers },
      body: await this.offer(),
    });
    if (answer.status === 201) {
      this.location = url + answer.headers.get('location')!;
      await this.connection.setRemoteDescription({ type: 'answer', sdp: await answer.clone().text() });
    }
    return answer;
  }

  close(): void {
    this.silence();
    this.unplug();
    for (const sink of this.#sinks) sink.stop();
    this.#track.stop();
    this.connection.close();
  }
}
