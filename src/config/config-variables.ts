/** Which environment variables are settings. */

import { HOOK_VARIABLES } from './hook-settings.ts';

/** What the variables of settings begin with. */
export const VARIABLE_PREFIX = 'FACEOFF_';

/**
 * Whether Kubernetes or Docker set the variable to tell where a service is that is called "faceoff", or begins so, as
 * "faceoff-server" does: FACEOFF_SERVICE_HOST, FACEOFF_PORT=tcp://…, FACEOFF_SERVER_PORT_8080_TCP_ADDR,
 * FACEOFF_NAME=/web/faceoff, FACEOFF_ENV_…. Where the name is that of a setting, the value tells: no setting of a port
 * takes an address.
 */
const isServiceLink = (name: string, value: string): boolean =>
  /^FACEOFF_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/.test(name) ||
  /^FACEOFF_(NAME|ENV_\w+)$/.test(name) ||
  (/^FACEOFF_(\w+_)?PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value)) ||
  (/^FACEOFF_\w+_NAME$/.test(name) && /^\/[^/]+\/[^/]+$/.test(value));

/** Whether the variable was set by others: by the ways to tell where a service is, or by a hook for its command. */
export const isNoSetting = (name: string, value: string): boolean =>
  isServiceLink(name, value) || HOOK_VARIABLES.has(name);

/** `server.port` → `FACEOFF_SERVER_PORT`. */
export const variableOfKey = (key: string): string =>
  VARIABLE_PREFIX +
  key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase();
