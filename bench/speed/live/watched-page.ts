/** What the page of the steady bench reports of a call. */

/** A picture that was shown. */
export interface Shown {
  /** Milliseconds since Start. */
  atMs: number;
  /** Pictures shown so far, with this one; a late callback has missed some. */
  count: number;
  /** Its time code. */
  code: number;
  /** From drawing to showing, in milliseconds. */
  delayMs: number;
}

/** The browser's counts of what it receives (W3C webrtc-stats, inbound-rtp) and sends (outbound-rtp). */
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
  /** Size of the last picture that came. */
  width: number;
  height: number;
  codec: string;
}

/** A whole call. */
export interface Watched {
  /** Milliseconds since Start. */
  endedMs: number;
  shown: Shown[];
  counted: Counted;
}

/** The camera of a call. */
export interface BenchCamera {
  width: number;
  height: number;
  /** A portrait to keep in motion, as base64; null takes Chromium's camera. */
  face: string | null;
}
