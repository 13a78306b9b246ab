/** Caption lines: text is broken where it no longer fits, once; what is added later never moves what stands there. */

import { seam } from "./paragraphs";

/** `firm`: how many of its characters will not change any more. */
export interface Line {
  text: string;
  firm: number;
}

const UNSPACED = "[\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Thai}\\p{scx=Laoo}\\p{scx=Khmr}\\p{scx=Mymr}]";
const OPENING = "[\\p{Ps}\\p{Pi}¿¡]"; // belongs to what follows
const SMALL_KANA = "ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ";
const CLOSING = `[\\p{Pe}\\p{Pf}\\p{M},.!?:;%…‥，。、．！？：；％・～${SMALL_KANA}]`; // belongs to what precedes
const PIECE = new RegExp(`\\s*${OPENING}*(?:(?!${OPENING})${UNSPACED}|(?:(?!${UNSPACED}|${OPENING})\\S)+)?${CLOSING}*|\\s+`, "gu");
const ENDING = new RegExp(`${CLOSING}+$`, "u");

/** What must stay together: a word, or a character of a script without spaces, with its punctuation. */
export function pieces(text: string): string[] {
  return (text.match(PIECE) ?? []).filter(Boolean);
}

/** Punctuation may hang over the edge: a word that fits does not leave its line for the comma that comes after it. */
function bare(text: string): string {
  return text.replace(ENDING, "");
}

/** The lines with a text after them, of which the first `firm` characters stay. */
export function extended(lines: readonly Line[], text: string, firm: number, fits: (text: string) => boolean): Line[] {
  const all = [...lines];
  let at = 0;
  for (const piece of pieces(text).flatMap((each) => (fits(bare(each.trim())) ? [each] : Array.from(each)))) {
    const last = all.at(-1);
    const stays = last && fits(bare(last.text + piece));
    const shown = stays ? piece : piece.trimStart();
    const before = stays ? last : { text: "", firm: 0 };
    const kept = Math.min(shown.length, Math.max(0, firm - at - piece.length + shown.length));
    all.splice(stays ? -1 : all.length, 1, { text: before.text + shown, firm: before.firm + kept });
    at += piece.length;
  }
  return all;
}

/** Lines that roll up, a number of them in sight. */
export class Roll {
  private lines: Line[] = [];
  private gone = 0; // lines before those
  /** How many lines there have been: what has rolled up stays up, also where unstable words vanish. */
  depth = 0;

  constructor(
    readonly rows: number,
    private readonly fits: (text: string) => boolean,
  ) {}

  /** A text that stays. */
  add(text: string): void {
    this.lines = this.with(text, text.length);
    const surplus = Math.max(0, this.lines.length - this.rows - 1);
    this.lines.splice(0, surplus);
    this.gone += surplus;
  }

  /** The newest lines with a text after them, and their numbers: those in sight, and one that leaves. */
  shown(text: string, firm: number): { number: number; line: Line }[] {
    const all = this.with(text, firm).map((line, i) => ({ number: this.gone + i, line }));
    this.depth = Math.max(this.depth, this.gone + all.length);
    return all.filter(({ number }) => number >= this.depth - this.rows - 1);
  }

  private with(text: string, firm: number): Line[] {
    const between = seam(this.lines.at(-1)?.text ?? "", text);
    const body = text.trimStart();
    return body ? extended(this.lines, between + body, firm - text.length + body.length + between.length, this.fits) : this.lines;
  }
}
