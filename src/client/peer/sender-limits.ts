/** What the browser's encoder is asked for. Browsers that do not know a parameter go on without it. */

/** Asks for a softer rather than a smaller picture where the bandwidth does not suffice. */
export function keepResolution(sender: RTCRtpSender): void {
  const parameters: RTCRtpSendParameters & { degradationPreference?: string } = sender.getParameters();
  parameters.degradationPreference = 'maintain-resolution';
  sender.setParameters(parameters).catch(() => undefined);
}

/**
 * Sends no more frames a second than the server swaps: frames that it leaves out need not be encoded twice. The page's
 * own preview of the camera stays as it is.
 * @param maxFps null for as many as the camera gives.
 */
export function limitRate(sender: RTCRtpSender, maxFps: number | null): void {
  const parameters = sender.getParameters();
  const [encoding] = parameters.encodings;
  if (encoding === undefined || (encoding.maxFramerate ?? null) === maxFps) return;
  if (maxFps === null) delete encoding.maxFramerate;
  else encoding.maxFramerate = maxFps;
  sender.setParameters(parameters).catch(() => undefined);
}
