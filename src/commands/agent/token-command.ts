/** `faceoff token`: tokens for a publisher or a viewer of a LiveKit cluster, as JSON. */

import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { issuerOf, liveKitOf } from '../../livekit/livekit-settings.ts';
import { publisherTickets, viewerTicket } from '../../livekit/stream-tokens.ts';
import { settingsFrom } from '../../server/session/session-settings.ts';
import { FaceOffError } from '../../shared/errors.ts';
import { type ConfigOptions, configOf, withConfig } from '../options.ts';

interface TokenOptions extends ConfigOptions {
  publisher?: string | true;
  settings: string;
}

/** `faceoff token STREAM`. */
export function tokenCommand(defaultConfig: string): Command {
  const token = new Command('token')
    .description('tokens for a LiveKit cluster: of a viewer, or with --publisher of a publisher')
    .argument('<stream>', 'name of the stream, 1 to 64 letters, digits, - and _');
  return withConfig(token, defaultConfig)
    .option('--publisher [identity]', 'for a publisher; a name of its own is made where none is given')
    .option('--settings <json>', 'what a publisher begins with, {"face": "astronaut"}', '{}')
    .action((stream: string, options: TokenOptions) => {
      const config = configOf(options);
      const issuer = issuerOf(config);
      const { url } = liveKitOf(config);
      const { publisher, settings } = options;
      const tickets =
        publisher === undefined
          ? viewerTicket(issuer, stream, newIdentity())
          : publisherTickets(
              issuer,
              { stream, publisher: publisher === true ? newIdentity() : publisher },
              settingsFrom(parsed(settings)),
            );
      console.log(JSON.stringify({ url, ...tickets }, null, 2));
    });
}

/** An identity that no other has. */
const newIdentity = (): string => `p-${randomBytes(8).toString('hex')}`;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FaceOffError('bad_arguments', '--settings must be JSON, for instance \'{"face": "astronaut"}\'.', {
      cause,
    });
  }
}
