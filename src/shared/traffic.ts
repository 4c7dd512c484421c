/** Packet statistics of one session's video over the last seconds; a peer measures them and the verdict reads them. */
export interface Traffic {
  /** Share of the packets lost on the way to the server, 0..1. */
  lostIn: number;
  /** Share of the packets lost on the way back to the client, 0..1. */
  lostOut: number;
  /** Mean deviation of the packets' arrival times, in milliseconds. */
  jitterMs: number;
}
