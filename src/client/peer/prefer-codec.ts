/** What costs the server least to encode for a page that publishes. */
export const PUBLISHER_CODECS: readonly string[] = ['vp8'];
/** What costs it least for viewers, which share an encoder in H.264; a server without H.264 takes the next. */
export const VIEWER_CODECS: readonly string[] = ['h264', 'vp8'];

/** Puts codecs first in an offer, in the given order. Browsers that cannot choose go on as they are. */
export function preferCodecs(transceiver: RTCRtpTransceiver, first: readonly string[]): void {
  const codecs = RTCRtpReceiver.getCapabilities?.('video')?.codecs ?? [];
  const rank = ({ mimeType }: { mimeType: string }): number => {
    const index = first.indexOf(mimeType.toLowerCase().replace('video/', ''));
    return index < 0 ? first.length : index;
  };
  try {
    if (codecs.length > 0) transceiver.setCodecPreferences?.([...codecs].sort((a, b) => rank(a) - rank(b)));
  } catch {
    // The server takes what the browser prefers.
  }
}
