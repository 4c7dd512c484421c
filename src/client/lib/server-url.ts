/**
 * The address of one of the server's paths, as seen from the page: a proxy may serve it all under a path of its own.
 * @param path begins with a slash, as the API writes paths.
 */
export const serverUrl = (path: string): string => new URL(path.slice(1), document.baseURI).href;
