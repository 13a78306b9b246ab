/** A transcript that is being made: each piece of sound and each final is in the database before it matters. */

import type { Final } from "../protocol/messages";
import { keep, keepSegment, keepSound, remove, segments, sounds, transcripts, type Segment, type Transcript } from "./database";

const PIECE_S = 0.25; // of sound that a sudden end of the page may cost

export class Recording {
  private pending: Int16Array[] = [];
  private pendingSamples = 0;
  private pieces = 0;
  private number = 0;
  private release: () => void = () => undefined;

  private constructor(public transcript: Transcript) {}

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
    made.hold();
    void keep(made.transcript);
    return made;
  }

  /** One that a page left behind, with its sound and what was final. */
  static async resume(transcript: Transcript): Promise<{ recording: Recording; sound: Int16Array[]; written: Segment[] }> {
    const recording = new Recording({ ...transcript });
    recording.hold();
    const sound = (await sounds(transcript.id)).filter((each) => each instanceof Int16Array);
    const written = await segments(transcript.id);
    recording.pieces = sound.length;
    recording.number = written.length;
    return { recording, sound, written };
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
    void keepSound(this.transcript.id, this.pieces++, piece);
  }

  /** Gives the segment that was made of it. */
  write(final: Final, previous: Segment | undefined): Segment {
    const words = final.words;
    const segment: Segment = {
      transcript: this.transcript.id,
      number: this.number++,
      start: words[0]!.start,
      end: words[words.length - 1]!.end,
      text: final.text,
      words,
      language: final.language ?? "",
      pause: Math.max(0, words[0]!.start - (previous?.end ?? 0)),
    };
    this.transcript.words += words.length;
    this.transcript.language ||= segment.language;
    this.transcript.duration = Math.max(this.transcript.duration, segment.end);
    void keepSegment({ ...this.transcript }, segment);
    return segment;
  }

  /** Where nothing was said there is nothing to keep, unless nobody could write it down. */
  async finish(duration: number, keepsSound = false): Promise<void> {
    this.flush();
    this.transcript.state = "done";
    this.transcript.duration = duration;
    await (this.number || keepsSound ? keep({ ...this.transcript }) : remove(this.transcript.id));
    this.release();
  }

  /** As long as this page lives, no other takes the recording for one that was left behind. */
  private hold(): void {
    void navigator.locks?.request(lockName(this.transcript.id), () => new Promise<void>((resolve) => (this.release = resolve)));
  }
}

const lockName = (id: string) => `stenoline.${id}`;

/** Recordings of pages that are gone. */
export async function leftBehind(): Promise<Transcript[]> {
  const held = new Set((await navigator.locks?.query())?.held?.map((lock) => lock.name));
  return (await transcripts()).filter((each) => each.state === "recording" && !held.has(lockName(each.id)));
}
