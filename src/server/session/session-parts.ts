import type { Config } from '../../config.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../metrics.ts';
import type { PictureCheck } from '../../pipeline/content/content-check.ts';
import type { UnmarkedChoice } from '../../shared/messages.ts';
import type { SwapSettings } from '../../shared/settings.ts';
import type { SwapSession } from '../../shared/types.ts';
import type { Badge } from '../disclosure/badge.ts';
import type { OffAirCard } from '../disclosure/off-air-card.ts';
import type { ServerEvents } from '../hooks/server-events.ts';
import type { MachineFigures } from '../monitor/verdict.ts';
import type { IceCandidate } from '../webrtc/ice-fragment.ts';
import type { MediaLink, MediaPeer, PeerSource } from '../webrtc/peer.ts';
import type { NamedStream } from './named-stream.ts';

/** What a session is made of, and what it reports. */
export interface SessionParts<P extends MediaLink = MediaPeer> {
  id: string;
  swap: SwapSession;
  stream: NamedStream;
  webrtc: Config['webrtc'];
  peers: PeerSource<P>;
  /** Frames with more pixels are sent back unswapped. */
  largestPixels: number;
  metrics: Metrics;
  /** Checks what goes out; null where safety.contentCheck is off. */
  contentCheck: PictureCheck | null;
  contentThreshold: number;
  events: ServerEvents;
  /** Its lines carry the session's id. */
  log: Logger;
  /** Figures of the machine over the last seconds; null before the first sample. */
  machine: () => MachineFigures | null;
  /** The mark that is drawn into modified pictures. */
  badge: Badge;
  /** What viewers see while the session is off air. */
  offAirCard: OffAirCard;
  /** Whether the publisher looks at its own picture only to see itself: then that picture has no mark. */
  isPreview: boolean;
  /** Where the choice was made that the session begins with, if it begins without the mark. */
  unmarkedBy: UnmarkedChoice['by'];
  /** Records that the mark is off from now on. */
  onUnmarked: (by: UnmarkedChoice['by']) => UnmarkedChoice;
  onCandidate?: (candidate: IceCandidate | null) => void;
  onSpeaking?: (speaking: boolean) => void;
  /** Called after a change of the settings that did not come from the publisher. */
  onSettings?: (settings: SwapSettings) => void;
  /** @param session the session, which is closed. */
  onClose: (session: { readonly id: string }, why: string) => void;
}
