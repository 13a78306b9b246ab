/** Words to expect, as they are typed: one a line, `NCCL | nickel | weight=2`, comments after #. */

import type { Hotword } from "../protocol/messages";

const LONGEST = 100; // characters of a phrase or saying
const MOST_SAYINGS = 16;
const HEAVIEST = 3;

/** What can be sent; a line with a phrase that is too long, or with none, is left out. */
export function hotwordsOf(text: string): Hotword[] {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line && !line.startsWith("#") && fits(line)).map(hotwordOf).filter((each) => each.text);
}

const fits = (line: string) => line.split("|").every((part) => part.trim().length <= LONGEST);

/** Number of the first line that is too long, from 1; 0 if none is. */
export function faultOf(text: string): number {
  return text.split("\n").findIndex((line) => !fits(line)) + 1;
}

function hotwordOf(line: string): Hotword {
  const [text = "", ...rest] = line.split("|").map((part) => part.trim());
  const weight = rest.findLast((part) => part.startsWith("weight="));
  const sayings = rest.filter((part) => part && !part.startsWith("weight=")).slice(0, MOST_SAYINGS);
  const given = Number(weight?.slice("weight=".length));
  return {
    text,
    ...(weight && Number.isFinite(given) ? { weight: Math.max(0, Math.min(HEAVIEST, given)) } : {}),
    ...(sayings.length ? { sounds_like: sayings } : {}),
  };
}
