/** The tiles of a call. */

import type { CallPerson } from '../../shared/messages.ts';
import { element } from '../lib/dom.ts';
import type { PlayerConf, StreamPlayer } from '../peer/connection-conf.ts';
import { PersonTile } from './person-tile.ts';

/** One tile for each person in the call, this page's own person first. */
export class TileGrid {
  readonly #list = element('tiles', HTMLUListElement);
  readonly #tiles = new Map<string, PersonTile>();
  readonly #watch: (conf: PlayerConf) => StreamPlayer;
  #own: PersonTile | null = null;

  /** @param watch plays another person's stream. */
  constructor(watch: (conf: PlayerConf) => StreamPlayer) {
    this.#watch = watch;
  }

  /** This page's own tile; made on first use. */
  get own(): PersonTile {
    if (this.#own === null) {
      this.#own = new PersonTile(true, this.#watch);
      this.#list.prepend(this.#own.place);
    }
    return this.#own;
  }

  /** Shows the people in the call. @param you this page's own name among them. */
  show(people: readonly CallPerson[], you: string): void {
    const names = new Set(people.map(({ name }) => name));
    for (const [name, tile] of this.#tiles) {
      if (names.has(name) && name !== you) continue;
      tile.close();
      this.#tiles.delete(name);
    }
    for (const person of people) {
      if (person.name === you) {
        this.own.show(person);
        continue;
      }
      const tile = this.#tiles.get(person.name) ?? this.#add(person.name);
      tile.show(person);
      tile.watch(person.stream);
    }
    this.#list.dataset.people = String(people.length);
  }

  /** Removes the other people's tiles, while the server cannot be reached. */
  alone(): void {
    for (const tile of this.#tiles.values()) tile.close();
    this.#tiles.clear();
    this.#list.dataset.people = this.#own === null ? '0' : '1';
  }

  /** Removes all tiles. Idempotent. */
  clear(): void {
    this.alone();
    this.#own?.close();
    this.#own = null;
    this.#list.dataset.people = '0';
  }

  #add(name: string): PersonTile {
    const tile = new PersonTile(false, this.#watch);
    this.#tiles.set(name, tile);
    this.#list.append(tile.place);
    return tile;
  }
}
