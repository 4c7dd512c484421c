/**
 * Knows the people of one stream again: somebody who was away, or turned from the camera, and comes back is the same
 * person with the same face on, whoever else has come in meanwhile. What it remembers lives as long as the stream.
 */

import { distance, SAME_PERSON } from './embed.ts';

/** A person is looked at so often, with a pause between: the mean of several looks is surer than one. */
const LOOKS = 3;
const PAUSE_MS = 1000;
/** Nobody remembers everybody. */
const MOST_PEOPLE = 50;

interface Person {
  /** Mean of the embeddings, 128 numbers. */
  embedding: Float32Array;
  looks: number;
  lookedAtMs: number;
}

export class PersonRegistry {
  readonly #known = new Map<number, Person>();

  /**
   * Whether another embedding of the person with this id would help.
   * @param limit `unknown` asks only for people without any; further ones can wait for another frame.
   */
  needsEmbedding(id: number, nowMs: number, limit: 'unknown' | 'none' = 'none'): boolean {
    const person = this.#known.get(id);
    if (person === undefined) return true;
    return limit === 'none' && person.looks < LOOKS && nowMs - person.lookedAtMs >= PAUSE_MS;
  }

  /**
   * Takes in a look at a person.
   * @param id what the person is called so far. @param present ids of everybody in the picture.
   * @returns the id under which the person was known before, else the given one.
   */
  assignIdentity(id: number, embedding: Float32Array, present: ReadonlySet<number>, nowMs: number): number {
    const known = this.#known.has(id) ? id : (this.#recognise(embedding, present) ?? id);
    const person = this.#known.get(known);
    if (person === undefined) this.#add(known, { embedding: embedding.slice(), looks: 1, lookedAtMs: nowMs });
    else refine(person, embedding, nowMs);
    return known;
  }

  #recognise(embedding: Float32Array, present: ReadonlySet<number>): number | null {
    let [best, least]: [number | null, number] = [null, SAME_PERSON];
    for (const [id, person] of this.#known) {
      const off = present.has(id) ? Number.POSITIVE_INFINITY : distance(person.embedding, embedding);
      if (off < least) [best, least] = [id, off];
    }
    return best;
  }

  #add(id: number, person: Person): void {
    this.#known.set(id, person);
    if (this.#known.size > MOST_PEOPLE) this.#known.delete(this.#known.keys().next().value!);
  }
}

function refine(person: Person, embedding: Float32Array, nowMs: number): void {
  const share = 1 / Math.min(LOOKS, person.looks + 1);
  person.embedding.forEach((value, i) => {
    person.embedding[i] = value + share * (embedding[i]! - value);
  });
  person.looks++;
  person.lookedAtMs = nowMs;
}
