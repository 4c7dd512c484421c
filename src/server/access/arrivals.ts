/**
 * How far other devices have come on their way to a page with a camera, for the guide that the studio shows while a phone
 * is set up. Devices are told apart by their addresses, which stay in this memory, and only while a page shows the guide.
 */

import type { IncomingHttpHeaders } from 'node:http';
import { isLocal } from '../../lib/address.ts';
import type { CameraState, PhoneGuide, PhoneStep } from '../../shared/messages.ts';

/** A page whose socket is open. */
export interface OpenPage {
  /** As `deviceOf` says. */
  device: string | null;
  camera: CameraState;
  /** Name of its stream, while the server shows its pictures; else null. */
  liveStream: string | null;
}

/** In the order in which a phone takes them. */
const STEPS: readonly PhoneStep[] = ['none', 'network', 'certificate', 'token', 'camera', 'live'];
/** Most devices remembered; the oldest are forgotten first. */
const MOST_DEVICES = 64;

/** What tells a device from others, behind a proxy what the proxy says; null for a program of this machine. */
export function deviceOf(address: string | undefined, headers: IncomingHttpHeaders = {}): string | null {
  const plain = (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
  const through = headers['x-forwarded-for'];
  return through === undefined && isLocal(plain) ? null : `${plain} ${String(through ?? '')}`;
}

/** Remembers devices while a page follows. */
export class Arrivals {
  readonly #steps = new Map<string, number>();
  /** Devices of the pages that follow: they are not what the guide is for. */
  readonly #followers: (string | null)[] = [];

  /** Begins to remember, for a page on this device. @returns what ends it; idempotent. */
  follow(device: string | null): () => void {
    this.#followers.push(device);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#followers.splice(this.#followers.indexOf(device), 1);
      if (this.#followers.length === 0) this.#steps.clear();
    };
  }

  /** Notes a step of a device. */
  note(device: string | null, step: PhoneStep): void {
    if (this.#followers.length === 0 || device === null) return;
    const before = this.#steps.get(device) ?? 0;
    this.#steps.set(device, Math.max(before, STEPS.indexOf(step)));
    if (this.#steps.size > MOST_DEVICES) this.#steps.delete(this.#steps.keys().next().value!);
  }

  /** The furthest step of any device that no follower is on. @param pages all open pages. */
  furthest(pages: readonly OpenPage[]): Pick<PhoneGuide, 'step' | 'camera' | 'stream'> {
    const isOther = (device: string | null): boolean => device !== null && !this.#followers.includes(device);
    const steps = [...this.#steps]
      .filter(([device]) => isOther(device))
      .map(([, step]) => ({ step, camera: null, stream: null }));
    const open = pages
      .filter(({ device }) => isOther(device))
      .map((page) => ({ step: STEPS.indexOf(stepOf(page)), camera: page.camera, stream: page.liveStream }));
    const [best] = [...open, ...steps].sort((a, b) => b.step - a.step);
    return { step: STEPS[best?.step ?? 0]!, camera: best?.camera ?? null, stream: best?.stream ?? null };
  }
}

function stepOf({ camera, liveStream }: OpenPage): PhoneStep {
  if (liveStream !== null) return 'live';
  return camera === 'open' ? 'camera' : 'token';
}
