/**
 * The address of a path on a server that may be behind a proxy, under a path of its own.
 * @param server an address with or without a slash at its end, https://host/face.
 * @param path begins with a slash.
 * @throws TypeError when `server` is no address.
 */
export function joinUrl(server: string, path: string): URL {
  const { origin, pathname } = new URL(server);
  return new URL(origin + pathname.replace(/\/+$/, '') + path);
}
