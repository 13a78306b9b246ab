/** Segments as paragraphs: a pause that is long enough begins a new one. */

import type { Segment } from "../store/database";

export function paragraphs<T extends Pick<Segment, "pause">>(segments: T[], pauseS: number): T[][] {
  const found: T[][] = [];
  for (const segment of segments) {
    if (!found.length || segment.pause >= pauseS) found.push([]);
    found.at(-1)!.push(segment);
  }
  return found;
}

const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}，。！？、；：]/u;

/** What goes between two pieces of text: a space, but not where a script has none. */
export function seam(before: string, after: string): string {
  const last = before.trimEnd().at(-1);
  const first = after.trimStart().at(0);
  return !last || !first || (UNSPACED.test(last) && UNSPACED.test(first)) ? "" : " ";
}

/** Texts one after the other, with their seams. */
export function joined(texts: string[]): string {
  return texts.reduce((all, text) => all + seam(all, text) + text.trim(), "");
}
