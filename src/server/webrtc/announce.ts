/**
 * Announced addresses: a server in a container or behind a router that forwards ports knows only its own address, which
 * clients cannot reach. Each of its candidates is repeated at the addresses that do reach it, with the same port.
 */

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { IceCandidate } from './ice-fragment.ts';

/** An address behind a name may change; it is looked up again after so long. */
const LOOKUP_LIFE_MS = 30_000;
/** A name server that is silent must not hold up an answer for longer. */
const LOOKUP_MS = 2000;

/** Looks a name up; the addresses that it has now. */
export type Lookup = (name: string) => Promise<string[]>;

const lookupAll: Lookup = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

const shared = new WeakMap<readonly string[], AnnouncedAddresses>();

/** The addresses of a setting's list, the same ones for all peers. */
export function announcedAddresses(names: readonly string[]): AnnouncedAddresses {
  const addresses = shared.get(names) ?? new AnnouncedAddresses(names);
  shared.set(names, addresses);
  return addresses;
}

/** The addresses of `webrtc.announce`. Names keep their last known addresses while they cannot be looked up. */
export class AnnouncedAddresses {
  readonly #names: readonly string[];
  readonly #lookup: Lookup;
  readonly #clock: () => number;
  readonly #known = new Map<string, string[]>();
  #refreshing: Promise<void> | null = null;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;

  /** @param names addresses, and names that have addresses. */
  constructor(names: readonly string[], lookup: Lookup = lookupAll, clock: () => number = () => performance.now()) {
    this.#names = names.filter((name) => isIP(name) === 0);
    this.#lookup = lookup;
    this.#clock = clock;
    for (const name of names) if (isIP(name) !== 0) this.#known.set(name, [name]);
  }

  /** The addresses that are known now. */
  get addresses(): string[] {
    return [...new Set([...this.#known.values()].flat())];
  }

  /** Looks names up where the last time was long ago. Never throws, and takes two seconds at most. */
  async refresh(): Promise<void> {
    if (this.#names.length === 0 || this.#clock() - this.#refreshedAtMs < LOOKUP_LIFE_MS) return;
    this.#refreshing ??= this.#lookUpAll().finally(() => {
      this.#refreshing = null;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOOKUP_MS);
    });
    await Promise.race([this.#refreshing, late]);
    clearTimeout(timer);
  }

  /**
   * A candidate at the announced addresses, to be given out beside it. Empty for candidates that are not the server's
   * own (a STUN or TURN server's) and for TCP connections that the server only opens.
   */
  at(local: IceCandidate): IceCandidate[] {
    const words = local.candidate.split(' ');
    const [foundation, component, transport, priority, address] = words;
    const [typ, type] = words.slice(6);
    if (typ !== 'typ' || type !== 'host' || local.candidate.includes(' tcptype active')) return [];
    return this.addresses
      .filter((announced) => announced !== address && isIP(announced) === isIP(address!))
      .map((announced, n) => {
        const changed = [`${foundation}${n + 1}`, component, transport, String(Number(priority) - 1), announced];
        return { ...local, candidate: [...changed, ...words.slice(5)].join(' ') };
      });
  }

  async #lookUpAll(): Promise<void> {
    await Promise.all(
      this.#names.map(async (name) => {
        const found = await this.#lookup(name).catch(() => []);
        if (found.length > 0) this.#known.set(name, found);
      }),
    );
    this.#refreshedAtMs = this.#clock();
  }
}
