/** What the page of the steady bench says of a call, once it is over. */

/** A picture that was shown. */
export interface Shown {
  /** Milliseconds since Start. */
  atMs: number;
  /** Pictures shown so far, this one too; a look that came late has missed some. */
  count: number;
  /** The time that was drawn into it. */
  code: number;
  /** From drawing it to showing it. */
  delayMs: number;
}

/** What the browser counts of what it gets (W3C webrtc-stats, inbound-rtp) and sends (outbound-rtp). */
export interface Counted {
  freezeCount: number;
  framesReceived: number;
  framesDecoded: number;
  framesDropped: number;
  packetsLost: number;
  /** Mean quantiser of the pictures that came back and of those that were sent. */
  qpBack: number;
  qpSent: number;
  framesSent: number;
  /** Mean of the whole call. */
  kbpsBack: number;
  kbpsSent: number;
  /** What came last. */
  width: number;
  height: number;
  codec: string;
}

export interface Watched {
  /** Milliseconds since Start. */
  endedMs: number;
  shown: Shown[];
  counted: Counted;
}

export interface BenchCamera {
  width: number;
  height: number;
  /** A portrait that is moved about, as base64; null has Chromium's camera play. */
  face: string | null;
}
