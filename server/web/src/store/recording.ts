/** A transcript that is being made: each piece of sound and each final is in the database before it matters. */

import type { Final } from "../protocol/messages";
import { amend, keep, keepsNothing, keepSound, remove, segments, sounds, transcripts, type Segment, type Transcript } from "./database";
import { hold } from "./locks";
import { segmentOf } from "./segment";

const PIECE_S = 0.25; // of sound that a sudden end of the page may cost

export class Recording {
  private pending: Int16Array[] = [];
  private pendingSamples = 0;
  private pieces = 0;
  private number = 0;
  private isBegun = Promise.resolve(true); // it is in the database
  private isCut = false; // sound has been lost on its way into the database: what follows would be in the wrong place

  private constructor(
    public transcript: Transcript,
    /** As long as this page lives, no other takes the recording for one that was left behind. */
    private readonly lock = hold(transcript.id),
  ) {}

  static begin(source: Transcript["source"], rate: number, title: string): Recording {
    const made = new Recording({
      id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
      title,
      created: Date.now(),
      source,
      state: "recording",
      rate,
      duration: 0,
      language: "",
      words: 0,
    });
    keepsNothing.value = false;
    made.isBegun = saved(keep(made.transcript));
    return made;
  }

  /** One that a page left behind, its sound from the last final on, and what was final. Null if another page has it. */
  static async resume(transcript: Transcript): Promise<Left | null> {
    const recording = new Recording({ ...transcript });
    if (!(await recording.lock)) return null;
    const written = await segments(transcript.id);
    const rest = await restOf(transcript, written.at(-1)?.end ?? 0);
    recording.pieces = rest.pieces;
    recording.number = written.length;
    return { recording, rest, written };
  }

  hear(samples: Int16Array): void {
    this.pending.push(samples);
    this.pendingSamples += samples.length;
    if (this.pendingSamples >= this.transcript.rate * PIECE_S) this.flush();
  }

  /** What has been heard, into the database. */
  flush(): void {
    if (!this.pendingSamples) return;
    const piece = new Int16Array(this.pendingSamples);
    let at = 0;
    for (const each of this.pending) {
      piece.set(each, at);
      at += each.length;
    }
    this.pending = [];
    this.pendingSamples = 0;
    if (!this.isCut) void saved(keepSound(this.transcript.id, this.pieces++, piece)).then((isKept) => (this.isCut ||= !isKept));
  }

  /** Gives the segment that was made of it. */
  write(final: Final, previous: Segment | undefined): Segment {
    const segment = segmentOf(final, this.transcript.id, this.number++, previous);
    this.transcript.words += segment.words.length;
    this.transcript.language ||= segment.language;
    this.transcript.duration = Math.max(this.transcript.duration, segment.end);
    const { language, duration } = this.transcript;
    void saved(amend(this.transcript.id, { words: this.transcript.words, language, duration }, [segment])); // its title may have been changed
    return segment;
  }

  /** Others may take it up. */
  release(): void {
    void this.lock.then((release) => release?.());
  }

  /** Where nothing was said there is nothing to keep, unless nobody could write it down. Gives whether it is kept. */
  async finish(duration: number, keepsSound = false): Promise<boolean> {
    this.flush();
    const isWorth = this.number > 0 || keepsSound;
    const isDone = await saved(isWorth ? amend(this.transcript.id, { state: "done", duration }) : remove(this.transcript.id));
    this.release();
    return isWorth && isDone && this.isBegun;
  }
}

/** What was found of a recording. */
export interface Left {
  recording: Recording;
  rest: Rest;
  written: Segment[];
}

/** Whether it is; the page says if not, and goes on. */
function saved(saving: Promise<void>): Promise<boolean> {
  return saving.then(
    () => true,
    () => false,
  );
}

/** Sound that may still have to be written down. */
interface Rest {
  sound: Int16Array[];
  start: number; // samples before it
  pieces: number; // of the whole recording
}

/** All pieces but the last are of one length, so that hours need not be read. */
async function restOf({ id, rate }: Transcript, fromS: number): Promise<Rest> {
  const [first] = await sounds(id, 0, 1);
  const each = first instanceof Int16Array ? first.length : 1;
  const skipped = first ? Math.floor((fromS * rate) / each) : 0;
  const sound = (await sounds(id, skipped)).filter((piece) => piece instanceof Int16Array);
  return { sound, start: skipped * each, pieces: skipped + sound.length };
}

/** Recordings of pages that are gone, or of one that is just being recorded elsewhere: the lock tells. */
export async function unfinished(): Promise<Transcript[]> {
  return (await transcripts()).filter((each) => each.state === "recording");
}
