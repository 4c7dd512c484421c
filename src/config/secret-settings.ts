/** Which settings hold what must not be shown, and a configuration without it. */

type Settings = Readonly<Record<string, unknown>>;

/** Shown in place of a secret. */
export const HIDDEN = '[hidden]';

/** Names of settings whose value is a secret, wherever they are. */
const SECRET_NAME = /^(token|secret|credential|username|password)$/i;

/** Whether the value of a setting, given by its path (`webrtc.iceServers.0.credential`), must not be shown. */
export function isSecretSetting(path: string): boolean {
  const keys = path.split('.');
  // Addresses of webhooks hold a secret word in many services, and so do the arguments of commands.
  const isHook = keys[0] === 'hooks' && keys.some((key) => key === 'url' || key === 'run');
  return isHook || path === 'faces.key' || SECRET_NAME.test(keys.at(-1)!);
}

/**
 * A copy of a configuration, or of a part of it, that may be shown: secrets are `[hidden]` where they are set; of a webhook's
 * address what comes after the host is left out, of a command its arguments. Paths of files and everything else is as it is.
 * Pure.
 */
export function withoutSecrets<T extends Settings>(config: T): T {
  return redacted(config, '') as T;
}

/**
 * Every text of a configuration that must not be shown, such as the token, to look for it elsewhere. The programs of commands
 * are left out: their names are in many texts.
 */
export function secretsIn(config: Settings, path = ''): string[] {
  return Object.entries(config).flatMap(([key, value]): string[] => {
    const at = path === '' ? key : `${path}.${key}`;
    if (typeof value === 'string') return isSecretSetting(at) && !at.endsWith('.run.0') ? [value] : [];
    return typeof value === 'object' && value !== null ? secretsIn(value as Settings, at) : [];
  });
}

function redacted(value: unknown, path: string): unknown {
  if (Array.isArray(value) && !isSecretSetting(path)) return value.map((item, at) => redacted(item, `${path}.${at}`));
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, redacted(inner, path === '' ? key : `${path}.${key}`)]),
    );
  return value === null || value === undefined || !isSecretSetting(path) ? value : shownPart(value, path);
}

/** What of a secret value may be shown. */
function shownPart(value: unknown, path: string): unknown {
  if (path.endsWith('.url') && typeof value === 'string' && URL.canParse(value)) {
    const { protocol, host, pathname, search } = new URL(value);
    return `${protocol}//${host}${pathname === '/' && search === '' ? '' : `/${HIDDEN}`}`;
  }
  if (path.endsWith('.run') && Array.isArray(value)) return value.map((part, at) => (at === 0 ? part : HIDDEN));
  return HIDDEN;
}
