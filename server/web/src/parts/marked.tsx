/** A text in which what was looked for is marked; a long one is cut to where it first occurs. */

import { hits } from "../text/search";

const BEFORE = 60;
const LONGEST = 220;

/** A place before the hit, at a word where there are spaces. */
function beginning(text: string, hit: number): number {
  if (hit <= BEFORE) return 0;
  const space = text.indexOf(" ", hit - BEFORE);
  return space >= 0 && space < hit ? space + 1 : hit - BEFORE;
}

export function Marked({ text, terms }: { text: string; terms: string[] }) {
  const found = hits(text, terms);
  const from = beginning(text, found[0]?.[0] ?? 0);
  const to = text.length > from + LONGEST ? from + LONGEST : text.length;
  const shown = found.filter(([, end]) => end <= to);
  const ends = [from, ...shown.map(([, end]) => end)];
  return (
    <>
      {from > 0 && "… "}
      {shown.map(([start, end], i) => (
        <>
          {text.slice(ends[i], start)}
          <mark>{text.slice(start, end)}</mark>
        </>
      ))}
      {text.slice(ends.at(-1), to)}
      {to < text.length && "…"}
    </>
  );
}
