/**
 * A publisher in H.264 on a bad network: how many pictures arrive whole, how long the gaps are, and that none is broken.
 * The publisher is as OBS is: it sends lost packets again and ignores requests for keyframes.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultConfig } from '../../src/config.ts';
import { PictureDecoder } from '../../src/server/h264/codec/picture-decoder.ts';
import { SharedEncoders } from '../../src/server/h264/codec/shared-encoder.ts';
import type { H264Libraries } from '../../src/server/h264/h264-packages.ts';
import { H264Peer } from '../../src/server/h264/h264-peer.ts';
import { type EncodedUnit, encodeH264, h264Libraries, whyNoH264 } from '../support/h264.ts';
import { throughRelay } from '../support/lossy-relay.ts';
import { Obs } from '../support/obs.ts';
import { until } from '../support/server.ts';

const why = whyNoH264();
const SECONDS = Number(process.env.LOSS_SECONDS ?? 20);
const sum = (data: Uint8Array): number => {
  let hash = 0;
  for (let i = 0; i < data.length; i += 7) hash = (Math.imul(hash, 31) + data[i]!) | 0;
  return hash;
};

describe.skipIf(why !== null)(
  `a publisher in H.264 on a bad network${why === null ? '' : ` (skipped: ${why})`}`,
  () => {
    let libraries: H264Libraries;
    let units: EncodedUnit[];
    const whole = new Set<number>();
    const figures: string[] = [];

    beforeAll(async () => {
      libraries = await h264Libraries();
      units = await encodeH264(
        ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=30,noise=alls=10:allf=t', '-t', '10'],
        ['-g', '30', '-b:v', '2500k', '-maxrate', '2500k', '-bufsize', '1250k', '-pix_fmt', 'yuv420p'],
      );
      const decoder = new PictureDecoder(libraries.codec);
      for (const unit of units) whole.add(sum((await decoder.decode(unit))!.data));
      decoder.close();
      expect(whole.size).toBe(units.length);
    });
    afterAll(() => console.log(figures.join('\n')));

    test.each([
      [0, 0],
      [0, 30],
      [0.01, 30],
      [0.03, 30],
      [0.1, 30],
    ])(
      'that loses %f of its packets and delays them by up to %f ms shows no broken picture',
      async (loss, jitterMs) => {
        const timesMs: number[] = [];
        let broken = 0;
        let state = '';
        const peer = new H264Peer({
          config: defaultConfig().webrtc,
          listener: {
            onFrame: ({ data, receivedAtMs }) => {
              timesMs.push(receivedAtMs);
              if (!whole.has(sum(data))) broken++;
            },
            onSound: () => undefined,
            onState: (now) => {
              state = now;
            },
            onCandidate: () => undefined,
          },
          libraries,
          encoders: new SharedEncoders(),
          stream: {},
          onFault: () => undefined,
        });
        const obs = new Obs(libraries);
        const { answer, relay } = await throughRelay(await peer.answer(obs.offer(), true), 1 + Math.round(1000 * loss));
        obs.accept(answer);
        await until(() => state === 'connected' && obs.state === 'connected', 'a connection');
        relay.weather = { loss, jitterMs };
        const before = process.cpuUsage();
        obs.play(units, 30);
        await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS));
        obs.silence();
        await new Promise((resolve) => setTimeout(resolve, 500));
        const { user, system } = process.cpuUsage(before);
        const gaps = timesMs.slice(1).map((atMs, i) => atMs - timesMs[i]!);
        const traffic = await peer.traffic();
        figures.push(
          `loss ${(100 * loss).toFixed(0)} %, jitter ${jitterMs} ms: ${timesMs.length} of ${obs.sent} pictures, ${broken} broken, ` +
            `longest gap ${Math.max(...gaps).toFixed(0)} ms, gaps above 200 ms ${gaps.filter((ms) => ms > 200).length}, ` +
            `lost in reports ${(100 * (traffic?.lostIn ?? 0)).toFixed(1)} %, ${((user + system) / 1e4 / SECONDS).toFixed(0)} % of a core (both sides)`,
        );
        peer.close();
        obs.close();
        relay.close();
        expect(broken).toBe(0);
        expect(timesMs.length).toBeGreaterThan(0.5 * obs.sent);
      },
      120_000,
    );
  },
);
