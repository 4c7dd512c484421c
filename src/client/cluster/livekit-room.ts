import { Room, setLogLevel } from 'livekit-client';

// What goes wrong is told by the page itself.
setLogLevel('error');

/**
 * A room that is not entered yet. Two peer connections, one for each direction, work with every release of LiveKit's server.
 * Tracks belong to the page, which stops them itself.
 */
export const liveKitRoom = (): Room => new Room({ stopLocalTrackOnUnpublish: false, singlePeerConnection: false });
