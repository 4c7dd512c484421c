/**
 * The way of a phone: server and browser on machines of their own (network namespaces), first in one network, then each
 * behind a NAT, where pictures go through a TURN server only, or through ports that the server's router forwards. Needs
 * root, coturn for the second, and nft for the third; skipped without.
 */

import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../src/lib/package-root.ts';
import { launchBrowser } from '../support/browser.ts';
import { writeClip } from '../support/clip.ts';
import { cacheWithH264, whyNoH264 } from '../support/h264.ts';
import { cutFrame, group } from '../support/lane.ts';
import { type Machine, Networks, whyNo, whyNoNetworks } from '../support/networks.ts';
import { type Program, startProgram, until } from '../support/server.ts';
import { connectInPage } from './h264-page.ts';

const TOKEN = 'a-token-that-nobody-guesses';
const why = whyNoNetworks();
const whyNoTurn = why ?? whyNo('turnserver', 'coturn');
const whyNoRouters = why ?? whyNo('nft', 'nftables');
for (const reason of new Set([why, whyNoTurn, whyNoRouters]))
  if (reason !== null) console.info(`the way of a phone is not tested: ${reason}`);
const whyNoCodec = whyNoH264();
const unless = (reason: string | null): string => (reason === null ? '' : ` (skipped: ${reason})`);

let networks: Networks;
let program: Program | undefined;
let browser: Browser | undefined;
let deskBrowser: Browser | undefined;
let clip: string;
beforeAll(async () => {
  clip = writeClip(await cutFrame(group, { left: 1400, top: 130, width: 460, height: 345 }, 640, 480), 30);
});
afterEach(async () => {
  await browser?.close();
  await deskBrowser?.close();
  await program?.stop();
  await networks?.close();
  browser = deskBrowser = program = undefined;
});
afterAll(() => rmSync(path.dirname(clip), { recursive: true, force: true }));

/** @returns the port it listens on. */
async function startServer(on: Machine, set: string[] = []): Promise<number> {
  const settings = [`server.token=${TOKEN}`, ...set].flatMap((one) => ['--set', one]);
  program = await startProgram(['--host', '0.0.0.0', ...settings], on.prefix);
  return Number(new URL(program.url).port);
}

async function openPage(on: Machine, url: string): Promise<Page> {
  browser = await launchBrowser(clip, [], (chromium) => on.wrapper(chromium));
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  // The addresses a peer connection went through are told by itself alone.
  await page.addInitScript(() => {
    const Peer = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        Object.assign(window, { peer: this });
      }
    };
  });
  await page.goto(url);
  return page;
}

async function logInAndStart(page: Page): Promise<void> {
  await page.fill('#token', TOKEN);
  await page.press('#token', 'Enter');
  await page.waitForSelector('[data-face-id="astronaut"]');
  await page.selectOption('#resolution', '640x480');
  await page.click('#start');
  await page.waitForSelector('body[data-state="live"]', { timeout: 30_000 });
}

/** How the pictures go: the kinds of the candidates at both ends, and whether they still come. */
const pathOf = (page: Page) =>
  page.evaluate(async () => {
    const report = [...(await (window as unknown as { peer: RTCPeerConnection }).peer.getStats()).values()];
    const find = (id: string) => report.find((entry) => entry.id === id);
    const pair = find(report.find(({ type }) => type === 'transport').selectedCandidatePairId);
    const kind = (id: string) => String(find(id)?.candidateType);
    return [kind(pair.localCandidateId), kind(pair.remoteCandidateId)];
  });

const swapped = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    const [session] = await (await fetch('/api/sessions')).json();
    return session?.swapped ?? 0;
  });

describe.skipIf(why !== null)(`a browser on another machine${unless(why)}`, () => {
  test('is refused without the token and swaps over HTTPS with it', async () => {
    networks = new Networks();
    const [desk, phone] = [networks.machine('desk'), networks.machine('phone')];
    networks.join([desk, '10.71.1.1/24'], [phone, '10.71.1.2/24']);
    const port = await startServer(desk);
    const url = `https://10.71.1.1:${port}`;
    const page = await openPage(phone, url);
    expect(await page.isVisible('#token')).toBe(true);
    expect(await page.evaluate(() => isSecureContext)).toBe(true);
    const refused = await page.evaluate(async () => {
      const post = { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: 'v=0' };
      const asked = [['/api/faces'], ['/api/sessions'], ['/metrics'], ['/whip', post], ['/whep/studio', post]] as const;
      const statuses = await Promise.all(asked.map(async ([at, init]) => (await fetch(at, init)).status));
      const socket = new WebSocket(`wss://${location.host}/ws`);
      const opened = await new Promise((resolve) => {
        socket.onopen = () => resolve(true);
        socket.onclose = () => resolve(false);
      });
      return { statuses, opened };
    });
    expect(refused).toEqual({ statuses: [401, 401, 401, 401, 401], opened: false });
    await page.fill('#token', 'another-one-altogether');
    await page.press('#token', 'Enter');
    await page.waitForSelector('#message:not([hidden])');

    await logInAndStart(page);
    await until(async () => (await swapped(page)) > 20, 'swapped pictures', 20_000);
    expect(await pathOf(page)).not.toContain('relay');
  }, 120_000);
});

describe.skipIf(why !== null)(`a phone in the network of the server’s machine${unless(why)}`, () => {
  test('opens the address that the studio shows, and ticks off its steps there', async () => {
    networks = new Networks();
    const [desk, phone] = [networks.machine('desk'), networks.machine('phone')];
    networks.join([desk, '10.71.1.1/24'], [phone, '10.71.1.2/24']);
    const port = await startServer(desk);
    deskBrowser = await launchBrowser(undefined, [], (chromium) => desk.wrapper(chromium));
    const studio = await (await deskBrowser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await studio.goto(`https://127.0.0.1:${port}/?token=${TOKEN}`);
    await studio.waitForSelector('[data-face-id="astronaut"]');
    await studio.click('#phone summary');
    await studio.waitForSelector('#phone-steps li');
    const address = await studio.inputValue('#phone-address');
    expect(address).toBe(`https://10.71.1.1:${port}/`);

    const page = await openPage(phone, address);
    await page.setViewportSize({ width: 390, height: 844 });
    await logInAndStart(page);
    const steps = studio.locator('#phone-steps li');
    await until(
      async () => (await studio.locator('#phone-steps [data-state="done"]').count()) === (await steps.count()),
      'every step to be done',
    );
    expect(await steps.count()).toBe(5);
    await until(async () => (await swapped(page)) > 20, 'swapped pictures', 20_000);
    const [viewer] = await Promise.all([studio.context().waitForEvent('page'), studio.click('#phone-view')]);
    await viewer.waitForSelector('body[data-state="live"]', { timeout: 20_000 });
  }, 120_000);
});

describe.skipIf(whyNoTurn !== null)(`a browser and a server that only a TURN server joins${unless(whyNoTurn)}`, () => {
  test('swap through the TURN server, with a user name made from the shared secret', async () => {
    networks = new Networks();
    const [desk, relay, phone] = ['desk', 'relay', 'phone'].map((name) => networks.machine(name)) as [
      Machine,
      Machine,
      Machine,
    ];
    networks.join([desk, '10.71.1.2/24'], [relay, '10.71.1.1/24']);
    networks.join([phone, '10.71.2.2/24'], [relay, '10.71.2.1/24']);
    // The one address that both know a way to.
    const PUBLIC = '10.71.3.1';
    relay.ip('addr', 'add', `${PUBLIC}/32`, 'dev', 'lo');
    desk.ip('route', 'add', PUBLIC, 'via', '10.71.1.1');
    phone.ip('route', 'add', PUBLIC, 'via', '10.71.2.1');
    const turn = ['turnserver', '-n', '--log-file=stdout', '--no-cli', '--no-tls', '--no-dtls', '--no-tcp-relay'];
    const secret = ['--use-auth-secret', '--static-auth-secret=shared', '--realm=faceoff.test'];
    const own = [`--userdb=${path.dirname(clip)}/turndb`, `--pidfile=${path.dirname(clip)}/turn.pid`];
    const at = [`--listening-ip=${PUBLIC}`, `--relay-ip=${PUBLIC}`];
    await relay.start([...turn, ...secret, ...own, ...at], /listener opened on|Total auth threads|relay/i);
    const port = await startServer(desk, [`webrtc.iceServers=[{urls: ['turn:${PUBLIC}:3478'], secret: shared}]`]);
    // The page itself comes through a forwarded port, as it would from a router.
    const forward = path.join(root, 'test/support/forward.mjs');
    await relay.start([process.execPath, forward, PUBLIC, '8443', '10.71.1.2', String(port)], /forwarding/);
    expect(phone.reaches(PUBLIC, 8443)).toBe(true);
    expect(phone.reaches('10.71.1.2', port)).toBe(false);

    const page = await openPage(phone, `https://${PUBLIC}:8443`);
    await logInAndStart(page);
    await until(async () => (await swapped(page)) > 20, 'swapped pictures', 30_000);
    expect(await pathOf(page)).toContain('relay');
  }, 120_000);
});

describe.skipIf(whyNoRouters !== null)(`a server behind a router that forwards ports${unless(whyNoRouters)}`, () => {
  /** Joins a desk and a phone through the routers of an office and of a home; the office's forwards `udp` to the desk. */
  async function startBehindRouters(udp: string, set: string[]): Promise<Machine> {
    networks = new Networks();
    const [desk, office, home, phone] = ['desk', 'office', 'home', 'phone'].map((name) => networks.machine(name)) as [
      Machine,
      Machine,
      Machine,
      Machine,
    ];
    networks.join([desk, '10.72.1.2/24'], [office, '10.72.1.1/24']);
    networks.join([office, '203.0.113.7/24'], [home, '203.0.113.9/24']);
    networks.join([phone, '10.72.2.2/24'], [home, '10.72.2.1/24']);
    desk.ip('route', 'add', 'default', 'via', '10.72.1.1');
    phone.ip('route', 'add', 'default', 'via', '10.72.2.1');
    const port = await startServer(desk, [...set, 'webrtc.announce=[203.0.113.7]']);
    const forward = (protocol: string, from: string, to: string) =>
      `add rule ip nat in ip daddr 203.0.113.7 ${protocol} dport ${from} dnat to ${to}`;
    const translate = (...rules: string[]): string =>
      [
        'add table ip nat',
        'add chain ip nat in { type nat hook prerouting priority -100; }',
        'add chain ip nat out { type nat hook postrouting priority 100; }',
        'add rule ip nat out ip saddr 10.72.0.0/16 masquerade',
        ...rules,
      ].join('\n');
    const inwards = [forward('tcp', '8443', `10.72.1.2:${port}`), forward('udp', udp, '10.72.1.2')];
    for (const [router, rules] of [
      [office, translate(...inwards)],
      [home, translate()],
    ] as const) {
      expect(router.sync('sh', '-c', `echo 1 > /proc/sys/net/ipv4/ip_forward && nft '${rules}'`)).toMatchObject({
        status: 0,
      });
    }
    expect(phone.reaches('10.72.1.2', port)).toBe(false);
    return phone;
  }

  test('swaps for a browser behind another router, and is watched there, at the announced address', async () => {
    const phone = await startBehindRouters('41000-41009', ['webrtc.portMin=41000', 'webrtc.portMax=41009']);
    const page = await openPage(phone, 'https://203.0.113.7:8443');
    await logInAndStart(page);
    await until(async () => (await swapped(page)) > 20, 'swapped pictures', 30_000);
    expect(await pathOf(page)).not.toContain('relay');
    const viewer = await page.context().newPage();
    await viewer.goto('https://203.0.113.7:8443/view/studio');
    await viewer.waitForSelector('body[data-state="live"]', { timeout: 30_000 });
  }, 120_000);

  test.skipIf(whyNoCodec !== null)(
    `takes publishers and viewers in H.264 through one UDP port${unless(whyNoCodec)}`,
    async () => {
      const set = ['webrtc.h264Port=41010', `models.cacheDir=${cacheWithH264()}`];
      const phone = await startBehindRouters('41010', set);
      const page = await openPage(phone, 'https://203.0.113.7:8443');
      await page.fill('#token', TOKEN);
      await page.press('#token', 'Enter');
      await page.waitForSelector('[data-face-id="astronaut"]');
      for (const name of ['left', 'right']) {
        const publisher = { name, path: `/whip?face=astronaut&stream=${name}`, publishes: true, layers: [] };
        expect((await page.evaluate(connectInPage, publisher)).status).toBe(201);
        const viewer = { name: `${name}-viewer`, path: `/whep/${name}`, publishes: false, layers: [] };
        await until(async () => (await page.evaluate(connectInPage, viewer)).status === 201, 'the stream', 20_000);
      }
      const decoded = (): Promise<number[]> =>
        page.evaluate(() =>
          Promise.all(
            Object.values(window.clients).map(async ({ connection }) => {
              const stats = [...(await connection.getStats()).values()];
              return Number(stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')?.framesDecoded);
            }),
          ),
        );
      await until(async () => (await decoded()).every((pictures) => pictures > 20), 'pictures at all four', 30_000);
      expect(await swapped(page)).toBeGreaterThan(20);
    },
    120_000,
  );
});
