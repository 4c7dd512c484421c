/** Chooses what carries a page's pictures: connections to the server itself, or LiveKit where the server's pages use a cluster. */

import type { ConnectionConf, PlayerConf, StreamConnection, StreamPlayer } from '../peer/connection-conf.ts';
import { StudioConnection } from '../peer/studio-connection.ts';
import { WhepPlayer } from '../peer/whep-player.ts';

/** Whether pictures go through a LiveKit cluster, as the server wrote into the page. */
export const isClustered = document.documentElement.dataset.media === 'livekit';

/** LiveKit's client is a script of its own, which no other page loads. */
const cluster = () => import('../cluster/livekit-pages.ts');

/** The connection of a page that sends a camera; it looks for the server from now on. */
export async function openConnection(conf: ConnectionConf): Promise<StreamConnection> {
  return isClustered ? new (await cluster()).LiveKitConnection(conf) : new StudioConnection(conf);
}

/** Plays a stream. */
export async function openPlayer(conf: PlayerConf): Promise<StreamPlayer> {
  return isClustered ? new (await cluster()).LiveKitPlayer(conf) : new WhepPlayer(conf);
}

/** Plays the stream of a person of the call that the connection joined. */
export const watchPerson = (connection: StreamConnection, conf: PlayerConf): StreamPlayer =>
  connection.watch?.(conf) ?? new WhepPlayer(conf);
