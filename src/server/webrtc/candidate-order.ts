/**
 * Order of the candidates in an answer. ICE goes by their priorities, but FFmpeg's `whip` takes the first host candidate
 * and no other. Pure functions on text.
 */

/**
 * Puts those candidates of each media section first that the other side most probably reaches: at the given addresses, in
 * their order, and UDP before TCP.
 * @param addresses IP addresses; an IPv4 address may be written as an IPv6 one (`::ffff:192.0.2.1`).
 */
export function reachableFirst(answer: string, addresses: readonly string[]): string {
  const wanted = addresses.map((address) => address.replace(/^::ffff:(?=\d+\.)/i, ''));
  const rank = (line: string): number => {
    const [, , protocol = '', , address = ''] = line.split(' ');
    const at = wanted.indexOf(address);
    return (protocol.toLowerCase() === 'udp' ? 0 : wanted.length + 1) + (at < 0 ? wanted.length : at);
  };
  return answer.replace(/(?:^a=candidate:.*\r?\n)+/gm, (lines) =>
    lines
      .split(/^(?=a=)/m)
      .sort((a, b) => rank(a) - rank(b))
      .join(''),
  );
}
