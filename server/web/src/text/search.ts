/** Search that does not mind case, width or how accents are written. */

const CLUSTERS = /\P{M}\p{M}*/gsu;

const folded = (text: string) => text.normalize("NFKC").toLowerCase();

/** The text as it is compared. */
export function fold(text: string): string {
  return (text.match(CLUSTERS) ?? []).map(folded).join("");
}

/** The words of a query, as they are compared. */
export function terms(query: string): string[] {
  return [...new Set(fold(query).split(/\s+/).filter(Boolean))];
}

/** Where terms occur in a text, in order and apart from each other: [from, to). */
export function hits(text: string, wanted: string[]): [number, number][] {
  const { plain, at } = mapped(text);
  const found = wanted.flatMap((term) =>
    places(plain, term).map((place): [number, number] => [at[place]!, at[place + term.length]!]),
  );
  const merged: [number, number][] = [];
  for (const [from, to] of found.sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** The text as it is compared, and for each of its characters (and its end) where it was. */
function mapped(text: string): { plain: string; at: number[] } {
  const at: number[] = [];
  let plain = "";
  let from = 0;
  for (const cluster of text.match(CLUSTERS) ?? []) {
    const piece = folded(cluster);
    for (let i = 0; i < piece.length; i++) at.push(from);
    plain += piece;
    from += cluster.length;
  }
  return { plain, at: [...at, text.length] };
}

function places(text: string, term: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + term.length)) found.push(at);
  return found;
}
