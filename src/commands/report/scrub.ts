/** Takes secrets and addresses out of texts that leave the machine. Logs hold none by rule; this is for what slipped through. */

import { isIP } from 'node:net';
import os from 'node:os';
import { HIDDEN, secretsIn, withoutSecrets } from '../../config/secret-settings.ts';
import type { Config } from '../../config.ts';
import { isLocal } from '../../lib/address.ts';
import { homeFolder } from '../../lib/installation.ts';

/** Shown in place of an address or a host's name. */
const ADDRESS = '[address]';
/** Addresses that say nothing about the machine. */
const isCommon = (name: string): boolean => isLocal(name) || name === '0.0.0.0' || name === '::';

/** Shorter texts are in many words by chance: a machine may be called node. No token and no secret is as short. */
const LEAST_LENGTH = 8;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\bBearer\s+[^\s"'\\]+/gi, `Bearer ${HIDDEN}`],
  [/\bwhsec_[\w+/=]+/g, HIDDEN],
  [/([?&]token=)[^&\s"'\\]+/gi, `$1${HIDDEN}`],
  [/\bv=0(?:\\r)?(?:\\n|\r?\n)[^"]*/g, '[sdp]'],
  [/\b(candidate|ice-ufrag|ice-pwd|fingerprint):[^"\\\r\n]+/g, `$1:${HIDDEN}`],
];

/** What is known of this machine and must not be told. */
export interface Known {
  secrets: readonly string[];
  home: string;
  hostname: string;
}

/** What is known of this machine. */
export const knownOf = (config: Config): Known => ({
  secrets: secretsIn(config),
  home: homeFolder(),
  hostname: os.hostname(),
});

/** A function that takes secrets, addresses, the home folder's path and the machine's name out of a text. */
export function scrubber({ secrets, home, hostname }: Known): (text: string) => string {
  const searched = secrets.filter(({ length }) => length >= LEAST_LENGTH);
  // A container's home may be the root folder.
  const hasHome = home.length > 3;
  const hasName = hostname.length >= LEAST_LENGTH && !isLocal(hostname);
  return (text) => {
    let clean = text;
    for (const secret of searched) clean = clean.replaceAll(secret, HIDDEN);
    for (const [pattern, put] of PATTERNS) clean = clean.replace(pattern, put);
    if (hasHome) clean = clean.replaceAll(home, '~');
    if (hasName) clean = clean.replaceAll(hostname, ADDRESS);
    return clean
      .replace(/(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)/g, hideAddress)
      .replace(/(?<![\w:.])[\da-f]{0,4}(?::[\da-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?![\w:])/gi, hideAddress)
      .replace(/\b((?:https?|wss?):\/\/)([^\s/:"'\\[\]]+)/gi, (whole, scheme: string, host: string) =>
        isCommon(host) ? whole : scheme + ADDRESS,
      );
  };
}

const hideAddress = (text: string): string => (isIP(text) === 0 || isCommon(text) ? text : ADDRESS);

/** The configuration in force, without secrets and without addresses and names of hosts. */
export function shareableConfig(config: Config): Record<string, unknown> {
  const shown = withoutSecrets(config);
  const { server, webrtc, metrics, hooks } = shown;
  const hidden = (name: string): string => (isCommon(name) ? name : ADDRESS);
  return {
    ...shown,
    server: {
      ...server,
      host: hidden(server.host),
      names: server.names.map(() => ADDRESS),
      origins: server.origins.map((origin) => (origin.startsWith('chrome-extension:') ? origin : ADDRESS)),
    },
    webrtc: {
      ...webrtc,
      announce: webrtc.announce.map(() => ADDRESS),
      iceServers: webrtc.iceServers.map((one) => ({
        ...one,
        urls: one.urls.map((url) => `${url.split(':')[0]}:${ADDRESS}`),
      })),
    },
    metrics: { ...metrics, host: metrics.host === null ? null : hidden(metrics.host) },
    hooks: { ...hooks, webhooks: hooks.webhooks.map((one) => ({ ...one, url: ADDRESS })) },
  };
}
