/** Suggests the name that a person meant. */

/** `; did you mean …?` if a known name is close, else an empty text. */
export function meantName(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return near === null ? '' : `; did you mean ${near}?`;
}

/** The closest known name by edit distance, in any case; null if none is close. */
function nearestName(name: string, known: readonly string[]): string | null {
  const scored = known.map((other) => [other, distance(name.toLowerCase(), other.toLowerCase())] as const);
  const [best, d] = scored.reduce((a, b) => (b[1] < a[1] ? b : a), ['', Infinity]);
  return d <= Math.max(2, name.length / 4) ? best : null;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
