/** The words on the page by their times: which is being spoken, and one that Tab reaches; no word is drawn anew for it. */

const MARK = "spoken";

export class Spoken {
  private readonly starts: number[];
  private now = -1;
  private reachable = -1;

  constructor(
    private readonly elements: HTMLElement[],
    words: { start: number; end: number }[],
    private readonly ends = words.map((word) => word.end),
  ) {
    this.starts = words.map((word) => word.start);
    this.reach(0);
  }

  /** Marks the word that is spoken at this time; `follows`: keeps it in view, unless the reader has gone elsewhere. */
  mark(seconds: number, follows: boolean): void {
    const next = this.at(seconds);
    if (next === this.now) return;
    const wasSeen = this.isSeen(this.now);
    this.elements[this.now]?.classList.remove(MARK);
    this.elements[next]?.classList.add(MARK);
    this.now = next;
    if (!follows || !wasSeen || this.isSeen(next)) return;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.elements[next]?.scrollIntoView({ block: "center", behavior: isCalm ? "auto" : "smooth" });
  }

  start(word: number): number {
    return this.starts[word] ?? 0;
  }

  index(element: Element): number {
    return this.elements.indexOf(element as HTMLElement);
  }

  /** Makes it the one that Tab reaches. */
  reach(word: number): HTMLElement | undefined {
    const element = this.elements[word];
    if (!element) return undefined;
    this.elements[this.reachable]?.setAttribute("tabindex", "-1");
    element.tabIndex = 0;
    this.reachable = word;
    return element;
  }

  /** Last word that has begun, while it lasts; -1 between words. */
  private at(seconds: number): number {
    let [low, high] = [0, this.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= seconds) low = middle + 1;
      else high = middle;
    }
    return low && seconds < this.ends[low - 1]! ? low - 1 : -1;
  }

  private isSeen(word: number): boolean {
    const box = this.elements[word]?.getBoundingClientRect();
    return !box || (box.bottom > 0 && box.top < innerHeight - ROOM_PX);
  }
}

const ROOM_PX = 160; // at the bottom of the page, where the player is
