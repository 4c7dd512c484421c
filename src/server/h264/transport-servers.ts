import type { IceServer } from '../webrtc/ice-servers.ts';
import type { TransportServer } from './transport-library.ts';

const PORTS = { stun: 3478, turn: 3478, stuns: 5349, turns: 5349 };

/** STUN and TURN servers in the form that libdatachannel takes. Addresses that it cannot use are left out. */
export function transportServers(servers: readonly IceServer[]): (string | TransportServer)[] {
  return servers.flatMap(({ urls, username, credential }) =>
    urls.flatMap((url): (string | TransportServer)[] => {
      const [, scheme, host, port, query = ''] =
        /^(stuns?|turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(\?.*)?$/.exec(url) ?? [];
      if (scheme === undefined || host === undefined) return [];
      const address = {
        hostname: host.replace(/^\[|\]$/g, ''),
        port: Number(port ?? PORTS[scheme as keyof typeof PORTS]),
      };
      if (scheme.startsWith('stun')) return [`stun:${host}:${address.port}`];
      const relayType = scheme === 'turns' ? 'TurnTls' : query.includes('transport=tcp') ? 'TurnTcp' : 'TurnUdp';
      return [{ ...address, relayType, ...(username && { username }), ...(credential && { password: credential }) }];
    }),
  );
}
