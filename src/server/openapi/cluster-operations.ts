/** The operations of a LiveKit cluster. */

import { z } from 'zod';
import { patchSchema } from '../session/session-settings.ts';
import { type Operation, SETTINGS_ERRORS } from './operation.ts';

const url = z.string().describe('Address of LiveKit.');
const ticket = z.object({ room: z.string(), token: z.string() });
const publisher = z.object({
  url,
  stream: z.string(),
  publisher: z.string().describe('Identity in both rooms.'),
  camera: ticket.describe('For the camera, which its publisher cannot watch.'),
  sound: ticket.describe('For the microphone, and to watch.'),
});
const place = z
  .int()
  .min(1)
  .nullable()
  .describe('Place among the publishers that wait for a worker; null if a worker has the job.');

const at = '/api/cluster/streams/{stream}';

/** Every operation of a cluster; without LiveKit each is refused. */
export const clusterOperations: readonly Operation[] = [
  {
    method: 'post',
    path: `${at}/publishers`,
    id: 'addClusterPublisher',
    group: 'cluster',
    summary: 'Tokens for a publisher; the body is the settings it begins with',
    body: { json: patchSchema },
    replies: { 201: { text: 'The tokens.', schema: publisher } },
    errors: ['no_livekit', 'bad_name', ...SETTINGS_ERRORS, 'body_too_large'],
  },
  {
    method: 'post',
    path: `${at}/viewers`,
    id: 'addClusterViewer',
    group: 'cluster',
    summary: 'A token for a viewer',
    replies: { 201: { text: 'The token.', schema: z.object({ url, room: z.string(), token: z.string() }) } },
    errors: ['no_livekit', 'bad_name', 'body_too_large'],
  },
  {
    method: 'post',
    path: `${at}/publishers/{publisher}/dispatch`,
    id: 'dispatchClusterPublisher',
    group: 'cluster',
    summary: 'Gives a publisher that sees no picture another worker',
    replies: { 200: { text: 'Whether a worker has the job.', schema: z.object({ place }) } },
    errors: ['no_livekit', 'bad_name', 'livekit_refused', 'livekit_unreachable', 'body_too_large'],
  },
];
