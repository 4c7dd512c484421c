/** What pages load where a LiveKit cluster carries their pictures: one script, with LiveKit's client in it. */

export { LiveKitConnection } from './livekit-connection.ts';
export { LiveKitPlayer } from './livekit-player.ts';
