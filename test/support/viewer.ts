/** A WHEP client in this process: counts the pictures it gets. */

import wrtc, { type RTCPeerConnection } from '@roamhq/wrtc';

export class Watcher {
  readonly connection: RTCPeerConnection = new wrtc.RTCPeerConnection({});
  #sink: { stop(): void } | null = null;
  received = 0;
  size = '';
  /** The last picture, I420. */
  picture: Uint8Array = new Uint8Array();
  location = '';
  etag = '';

  constructor() {
    const connection = this.connection as RTCPeerConnection & { ontrack: ((event: { track: never }) => void) | null };
    connection.ontrack = ({ track }) => {
      if ((track as { kind: string }).kind !== 'video') return;
      const sink = new wrtc.nonstandard.RTCVideoSink(track);
      sink.onframe = ({ frame: { width, height, data } }) => {
        this.received++;
        this.picture = data;
        this.size = `${width}x${height}`;
      };
      this.#sink = sink;
    };
    this.connection.addTransceiver('video', { direction: 'recvonly' });
  }

  async offer(iceRestart = false): Promise<string> {
    await this.connection.setLocalDescription(await this.connection.createOffer({ iceRestart }));
    const isDone = (): boolean =>
      this.connection.iceGatheringState === 'complete' && this.connection.localDescription!.sdp.includes('a=candidate');
    while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 10));
    return this.connection.localDescription!.sdp;
  }

  /** Asks for a stream. @returns the HTTP answer, already applied when it is 201. */
  async whep(url: string, stream: string, headers: Record<string, string> = {}): Promise<Response> {
    const answer = await fetch(`${url}/whep/${stream}`, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...headers },
      body: await this.offer(),
    });
    if (answer.status === 201) {
      this.location = url + answer.headers.get('location')!;
      this.etag = answer.headers.get('etag')!;
      await this.connection.setRemoteDescription({ type: 'answer', sdp: await answer.clone().text() });
    }
    return answer;
  }

  close(): void {
    this.#sink?.stop();
    this.connection.close();
  }
}
