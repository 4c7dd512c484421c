/** Names and addresses: which of them only this machine can reach, and by which other machines reach it. */

import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { domainToASCII } from 'node:url';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a host name or address is loopback, so that only programs of this machine reach it. */
export function isLocal(name: string): boolean {
  const version = isIP(name);
  if (version !== 0) return loopback.check(name, version === 4 ? 'ipv4' : 'ipv6');
  return name === 'localhost' || name.endsWith('.localhost');
}

/**
 * The host of a name as people write it, in the form in which browsers send it: in lower case, without scheme, path, port,
 * brackets and the dot at its end, other letters than ASCII in Punycode. `https://Müller.Example.:8080/` →
 * `xn--mller-kva.example`.
 */
export function hostName(text: string): string {
  const bare = text
    .trim()
    .toLowerCase()
    .replace(/^[a-z][a-z\d+.-]*:\/\//, '')
    .replace(/\/.*$/, '');
  const name = (isIP(bare) === 6 ? bare : bare.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1')).replace(/\.$/, '');
  return isIP(name) === 0 ? domainToASCII(name) || name : name;
}

/** Whether a host, in the form of `hostName`, is one of the names; `*.example` stands for every host one label below. */
export const isNamed = (host: string, names: readonly string[]): boolean =>
  names.some((name) => {
    const known = hostName(name);
    return known === host || (known.startsWith('*.') && known.slice(1) === host.replace(/^[^.]+/, ''));
  });

/**
 * The addresses by which other machines reach a server that listens on `host`; `host` itself unless it means all
 * interfaces. IPv6 addresses are left out, as they change by the day.
 */
export function addressesOf(host: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host];
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}

/**
 * The network of one subscriber, to count requests by: an IPv4 address itself, or the first 64 bits of an IPv6 address,
 * as a subscriber chooses the other 64 bits freely.
 */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isIP(plain) !== 6) return plain;
  const [head = '', tail] = plain.split('::');
  const [first, last] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - first!.length - last!.length)).fill('0');
  return [...first!, ...zeros, ...last!]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/** `http://host:port` or `https://host:port`; an IPv6 address is put in brackets. */
export function urlOf(host: string, port: number, secure: boolean): string {
  return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
