/** Puts VP8 first, the codec that costs the server least to encode. Browsers that cannot choose go on as they are. */
export function preferVp8(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpReceiver.getCapabilities?.('video')?.codecs ?? [];
  const isVp8 = ({ mimeType }: { mimeType: string }): boolean => mimeType.toLowerCase() === 'video/vp8';
  const sorted = [...codecs.filter(isVp8), ...codecs.filter((codec) => !isVp8(codec))];
  try {
    if (codecs.some(isVp8)) transceiver.setCodecPreferences?.(sorted);
  } catch {
    // The server takes what the browser prefers.
  }
}
