/** Sound that no final covers yet, by its place in the whole recording; what a new connection is told again. */

/** Beyond this the oldest is let go here; it stays in the saved recording. */
const LONGEST_S = 900;

export class Tape {
  private pieces: { at: number; samples: Int16Array }[] = [];
  private times: { at: number; ms: number | null }[] = []; // when a sample was heard
  /** Samples heard so far, in the whole recording. */
  end: number;

  constructor(
    readonly rate: number,
    readonly start = 0,
  ) {
    this.end = start;
  }

  /** `now`: when it was heard, if that was just now. */
  push(samples: Int16Array, now: number | null = null): void {
    this.pieces.push({ at: this.end, samples });
    this.end += samples.length;
    this.times.push({ at: this.end, ms: now });
    this.forget(this.end - LONGEST_S * this.rate);
  }

  /** Up to `most` samples from a place on, and where they begin: later than asked for if the rest was let go. */
  read(from: number, most: number): { at: number; samples: Int16Array } | null {
    const piece = this.pieces.findLast((each) => each.at <= from) ?? this.pieces[0];
    if (!piece || from >= piece.at + piece.samples.length) return null;
    const skipped = Math.max(0, from - piece.at);
    return { at: piece.at + skipped, samples: piece.samples.subarray(skipped, skipped + most) };
  }

  /** What lies before is not needed any more. */
  forget(before: number): void {
    while (this.pieces[0] && this.pieces[0].at + this.pieces[0].samples.length <= before) this.pieces.shift();
    while (this.times.length > 1 && this.times[0]!.at < before) this.times.shift();
  }

  /** When the sample was heard (ms, as performance.now() counts); null if that is no longer known. */
  heardAt(sample: number): number | null {
    return this.times.find((each) => each.at >= sample)?.ms ?? null;
  }
}
