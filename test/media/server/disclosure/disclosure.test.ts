/** What programs are told of modified pictures. */

import type { RTCPeerConnection } from '@roamhq/wrtc';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Publisher } from '../../../support/publisher.ts';
import { startServer, type TestServer, until } from '../../../support/server.ts';
import { Watcher } from '../../../support/viewer.ts';

describe('programs', () => {
  let server: TestServer;
  let clients: { close(): void }[] = [];
  beforeAll(async () => {
    server = await startServer();
    return () => server.stop();
  });
  afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
    server.sessions.close();
  });

  /** What is said on a data channel that the client opens. */
  function listen(connection: RTCPeerConnection): string[] {
    const said: string[] = [];
    const channel = (
      connection as RTCPeerConnection & {
        createDataChannel(label: string): { onmessage: ((event: { data: string }) => void) | null };
      }
    ).createDataChannel('faceoff');
    channel.onmessage = ({ data }) => said.push(data);
    return said;
  }
  const listed = async (): Promise<{ modified: boolean }> =>
    ((await (await fetch(`${server.url}/api/sessions`)).json()) as { modified: boolean }[])[0]!;
  const yes = '{"type":"disclosure","aiModified":true}';
  const no = '{"type":"disclosure","aiModified":false}';

  test('are told of modified pictures by data channel, header and session list, also of changes', async () => {
    const camera = new Publisher();
    clients.push(camera);
    const own = listen(camera.connection);
    camera.send(320, 240);
    const begun = await camera.whip(server.url, '?face=astronaut&stream=stage');
    expect(begun.headers.get('ai-disclosure')).toBe('mode=ai-modified');
    const watcher = new Watcher();
    clients.push(watcher);
    const said = listen(watcher.connection);
    const answer = await watcher.whep(server.url, 'stage');
    expect(answer.headers.get('ai-disclosure')).toBe('mode=ai-modified');
    await until(() => said.length > 0 && own.length > 0, 'word on the data channels');
    expect([said, own]).toEqual([[yes], [yes]]);
    expect((await listed()).modified).toBe(true);
    server.sessions.all()[0]!.set({ face: null });
    await until(() => said.at(-1) === no && own.at(-1) === no, 'word of the change');
    expect((await listed()).modified).toBe(false);
    const late = new Watcher();
    clients.push(late);
    expect((await late.whep(server.url, 'stage')).headers.get('ai-disclosure')).toBe('mode=none');
  });

  test('without a data channel are told by header and session list', async () => {
    const camera = new Publisher();
    clients.push(camera);
    camera.send(320, 240);
    expect((await camera.whip(server.url, '?face=astronaut')).status).toBe(201);
    await until(() => camera.received.length > 0, 'pictures');
  });
});
