// Passes TCP connections on, as a router that forwards one port: node forward.mjs FROM_HOST PORT TO_HOST PORT
import net from 'node:net';

const [host, port, toHost, toPort] = process.argv.slice(2);
net
  .createServer((from) => {
    const to = net.connect(Number(toPort), toHost);
    from.pipe(to).pipe(from);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ])
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  })
  .listen(Number(port), host, () => console.log('forwarding'));
