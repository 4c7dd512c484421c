/** The codec that costs least to encode on the server; browsers that cannot choose just go on. */
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
