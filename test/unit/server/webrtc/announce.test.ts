import { describe, expect, test } from 'vitest';
import { AnnouncedAddresses } from '../../../../src/server/webrtc/announce.ts';

const local = (candidate: string) => ({ candidate, sdpMid: '0', sdpMLineIndex: 0 });
const host = local('candidate:77 1 udp 2122260223 10.1.2.3 40001 typ host generation 0 ufrag Ab+/ network-id 1');

describe('a candidate of this machine', () => {
  test('is repeated at each announced address, with its port and everything else', () => {
    const announced = new AnnouncedAddresses(['203.0.113.7', '2001:db8::7', '198.51.100.9']);
    expect(announced.at(host)).toEqual([
      local('candidate:771 1 udp 2122260222 203.0.113.7 40001 typ host generation 0 ufrag Ab+/ network-id 1'),
      local('candidate:772 1 udp 2122260222 198.51.100.9 40001 typ host generation 0 ufrag Ab+/ network-id 1'),
    ]);
    const six = local('candidate:5 1 udp 99 fd00::3 40002 typ host');
    expect(announced.at(six)).toEqual([local('candidate:51 1 udp 98 2001:db8::7 40002 typ host')]);
  });

  test.each([
    ['has an announced address already', 'candidate:7 1 udp 9 203.0.113.7 40001 typ host'],
    ['was told by a STUN server', 'candidate:7 1 udp 9 192.0.2.5 40001 typ srflx raddr 10.1.2.3 rport 40001'],
    ['is a TURN server’s', 'candidate:7 1 udp 9 192.0.2.5 40001 typ relay raddr 10.1.2.3 rport 40001'],
    ['only opens TCP connections', 'candidate:7 1 tcp 9 10.1.2.3 9 typ host tcptype active'],
    ['is hidden behind a name', 'candidate:7 1 udp 9 3b2a.local 40001 typ host'],
  ])('is left alone when it %s', (_name, candidate) => {
    expect(new AnnouncedAddresses(['203.0.113.7']).at(local(candidate))).toEqual([]);
  });
});

test('a name is looked up, and keeps its address while it cannot be looked up', async () => {
  const answers: (string[] | Error)[] = [['203.0.113.7'], new Error('no name server'), ['203.0.113.8']];
  let [lookups, nowMs] = [0, 0];
  const announced = new AnnouncedAddresses(
    ['face.example'],
    async () => {
      const answer = answers[lookups++]!;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    () => nowMs,
  );
  const address = (): string | undefined => announced.at(host)[0]?.candidate.split(' ')[4];
  expect(address()).toBeUndefined();
  await Promise.all([announced.refresh(), announced.refresh()]);
  expect([lookups, address()]).toEqual([1, '203.0.113.7']);
  await announced.refresh();
  expect(lookups).toBe(1);
  nowMs = 31_000;
  await announced.refresh();
  expect([lookups, address()]).toEqual([2, '203.0.113.7']);
  nowMs = 62_000;
  await announced.refresh();
  expect([lookups, address()]).toEqual([3, '203.0.113.8']);
});

test('a name server that is silent does not hold up the answer for ever', async () => {
  const announced = new AnnouncedAddresses(['face.example'], () => new Promise(() => undefined));
  await announced.refresh();
  expect(announced.at(host)).toEqual([]);
});
