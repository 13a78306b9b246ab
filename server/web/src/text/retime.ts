/** Times for the words of a text that was corrected: words that are still there keep theirs, new ones share what is between. */

import type { Word } from "../protocol/messages";

const ALONE = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}";
const PIECES = new RegExp(`\\s*(?:[${ALONE}]|[^\\s${ALONE}]+)`, "gu");

const FIRST_ALONE = new RegExp(`^\\s*[${ALONE}]`, "u");

/** `before` as recognised, within [start, end] seconds; gives the words of `text`. */
export function retimed(before: Word[], text: string, start: number, end: number): Word[] {
  const lead = before[0]?.text.startsWith(" ") ? " " : "";
  let rest = lead + text.trim().replace(/\s+/g, " ");
  let head = 0;
  while (head < before.length && isHead(rest, before[head]!.text, before[head + 1]?.text))
    rest = rest.slice(before[head++]!.text.length);
  let tail = before.length;
  while (tail > head && isTail(rest, before[tail - 1]!.text, before[tail - 2]?.text))
    rest = rest.slice(0, -before[--tail]!.text.length);
  const middle = aligned(before.slice(head, tail).flatMap(split), pieces(rest));
  const kept = [...before.slice(0, head), ...middle, ...before.slice(tail)];
  return filled(kept, before, start, end);
}

const MOST_CELLS = 2_000_000; // of the table: beyond, as when a book is pasted in, all of it is new

type Untimed = Omit<Word, "start" | "end"> & { start?: number; end?: number };

const alone = (text: string) => FIRST_ALONE.test(text);

/** Whether a word begins the text, and is not only the beginning of one. */
function isHead(text: string, word: string, following = " "): boolean {
  const rest = text.slice(word.length);
  return text.startsWith(word) && (!rest || rest.startsWith(" ") || rest.startsWith(following) || alone(rest) || alone(word));
}

/** Whether a word ends the text, and is not only the end of one. */
function isTail(text: string, word: string, preceding = " "): boolean {
  const rest = text.slice(0, -word.length);
  const isApart = word.startsWith(" ") || !rest || rest.endsWith(preceding) || alone(word);
  return text.endsWith(word) && isApart && !rest.endsWith(" ");
}

function pieces(text: string): string[] {
  return text.trim() ? (text.match(PIECES) ?? []) : [];
}

/** A word of a script without spaces by its characters, so that one of them may change. */
function split(word: Word): Word[] {
  const parts = pieces(word.text);
  const step = (word.end - word.start) / Math.max(1, parts.length);
  return parts.length < 2
    ? [word]
    : parts.map((text, i) => ({ ...word, text, start: word.start + i * step, end: word.start + (i + 1) * step }));
}

/** Longest common subsequence: texts that were there come with their times. */
function aligned(before: Word[], after: string[]): Untimed[] {
  if (before.length * after.length > MOST_CELLS) return after.map((text) => ({ text, confidence: 1 }));
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const isSame = before[i]!.text === after[j];
      lengths[i]![j] = isSame ? lengths[i + 1]![j + 1]! + 1 : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const found: Untimed[] = [];
  for (let i = 0, j = 0; j < after.length;) {
    if (i < before.length && before[i]!.text === after[j]) [found[j], i, j] = [before[i]!, i + 1, j + 1];
    else if (i < before.length && lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i++;
    else found[j] = { text: after[j++]!, confidence: 1 };
  }
  return found;
}

/** New words in a row share the time of those that they replaced, by their lengths. */
function filled(words: Untimed[], before: Word[], start: number, end: number): Word[] {
  const timed = words as Word[];
  for (let from = 0; from < words.length; from++) {
    if (words[from]!.start !== undefined) continue;
    let to = from;
    while (to < words.length && words[to]!.start === undefined) to++;
    const low = words[from - 1]?.end ?? start;
    const high = Math.max(low, words[to]?.start ?? end);
    const replaced = before.filter((word) => word.start >= low && word.end <= high);
    share(timed.slice(from, to), replaced[0]?.start ?? low, replaced.at(-1)?.end ?? high);
    from = to;
  }
  return timed;
}

function share(words: Word[], start: number, end: number): void {
  const letters = words.reduce((sum, word) => sum + word.text.trim().length, 0);
  let at = start;
  for (const word of words) {
    word.start = at;
    at += ((end - start) * word.text.trim().length) / letters;
    word.end = at;
  }
}
