import { FaceOffError } from '../../shared/errors.ts';
import { OPERATIONS } from './operations.ts';

const PATHS = OPERATIONS.map(({ method, path, isMetrics = false }) => ({
  method: method.toUpperCase(),
  isMetrics,
  names: path.split('{').length,
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}/?$`),
}));

/**
 * The methods that a path of the server takes, each once; none if there is nothing at that path. As in OpenAPI, a path
 * without names takes precedence.
 */
function methodsAt(path: string, servesMetrics: boolean): string[] {
  const fitting = PATHS.filter(({ pattern, isMetrics }) => pattern.test(path) && (servesMetrics || !isMetrics));
  const fewest = Math.min(...fitting.map(({ names }) => names));
  const methods = fitting
    .filter(({ names }) => names === fewest)
    .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return [...new Set(methods)];
}

/**
 * The refusal of a request that no route takes, and the methods for `Allow`.
 * @param servesMetrics whether `/metrics` is served here, and not on a port of its own.
 */
export function nothingAt(
  { method, url }: { method: string; url: string },
  servesMetrics: boolean,
): { error: FaceOffError; allow: string[] } {
  const path = url.split('?')[0]!;
  const allow = methodsAt(path, servesMetrics);
  const error =
    allow.length > 0
      ? new FaceOffError('wrong_method', `Only ${allow.join(', ')} can be done at ${path}.`)
      : new FaceOffError('not_found', `There is nothing at ${method} ${path}.`);
  return { error, allow };
}
