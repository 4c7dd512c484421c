/** Re-identification of the people of one stream by their embeddings. */

import { distance, SAME_PERSON } from './embed.ts';

/** Embeddings that are averaged for one person: the mean of several is more certain than one. */
const EMBEDDINGS = 3;
/** Pause between two embeddings of one person, so that they show different poses. */
const PAUSE_MS = 1000;
/** Most people remembered; the earliest is forgotten. */
const MOST_PEOPLE = 50;

interface Person {
  /** Mean of the embeddings, 128 numbers. */
  embedding: Float32Array;
  /** How many embeddings were averaged. */
  count: number;
  embeddedAtMs: number;
}

/**
 * Recognises a person who was away, or turned from the camera, and comes back, so that the same face is put on the
 * same person whatever new people came in meanwhile. Remembers people as long as its stream lives.
 */
export class PersonRegistry {
  readonly #known = new Map<number, Person>();

  /**
   * Whether another embedding of the person with this id would help.
   * @param limit `unknown` asks only for people without any; further ones can wait for another frame.
   */
  needsEmbedding(id: number, nowMs: number, limit: 'unknown' | 'none' = 'none'): boolean {
    const person = this.#known.get(id);
    if (person === undefined) return true;
    return limit === 'none' && person.count < EMBEDDINGS && nowMs - person.embeddedAtMs >= PAUSE_MS;
  }

  /**
   * Counts an embedding of a person.
   * @param id the person's id so far. @param present ids of all people in the frame: this cannot be one of them.
   * @returns the id under which the person was known before; otherwise the given one.
   */
  assignIdentity(id: number, embedding: Float32Array, present: ReadonlySet<number>, nowMs: number): number {
    const known = this.#known.has(id) ? id : (this.#recognise(embedding, present) ?? id);
    const person = this.#known.get(known);
    if (person === undefined) this.#add(known, { embedding: embedding.slice(), count: 1, embeddedAtMs: nowMs });
    else refine(person, embedding, nowMs);
    return known;
  }

  /** The absent person with the nearest embedding, if it is near enough. */
  #recognise(embedding: Float32Array, present: ReadonlySet<number>): number | null {
    let nearest: number | null = null;
    let least = SAME_PERSON;
    for (const [id, person] of this.#known) {
      const apart = present.has(id) ? Number.POSITIVE_INFINITY : distance(person.embedding, embedding);
      if (apart >= least) continue;
      nearest = id;
      least = apart;
    }
    return nearest;
  }

  #add(id: number, person: Person): void {
    this.#known.set(id, person);
    if (this.#known.size > MOST_PEOPLE) this.#known.delete(this.#known.keys().next().value!);
  }
}

function refine(person: Person, embedding: Float32Array, nowMs: number): void {
  const share = 1 / Math.min(EMBEDDINGS, person.count + 1);
  person.embedding.forEach((value, i) => {
    person.embedding[i] = value + share * (embedding[i]! - value);
  });
  person.count++;
  person.embeddedAtMs = nowMs;
}
