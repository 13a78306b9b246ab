/** What is kept of a final. */

import type { Final } from "../protocol/messages";
import type { Segment } from "./database";

/** One that has words; `previous` is the segment before it, for the silence between them. */
export function segmentOf({ words, text, language }: Final, id: string, number: number, previous: Segment | undefined): Segment {
  const [start, end] = [words[0]!.start, words.at(-1)!.end];
  return {
    transcript: id,
    number,
    start,
    end,
    text,
    words,
    language: language ?? "",
    pause: Math.max(0, start - (previous?.end ?? 0)),
  };
}
