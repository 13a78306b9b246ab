/** The transcript that is open: what is known of it, its sound, and what is changed in it, saved at once. */

import { computed, effect, signal } from "@preact/signals";

import { Playhead } from "../audio/playhead";
import { amend, changes, keepSegment, segments, transcript, type Segment, type Transcript } from "./database";
import { soundOf } from "./sound";

export class Opened {
  readonly transcript = signal<Transcript | null | undefined>(undefined); // null: there is none; undefined: not read yet
  readonly segments = signal<Segment[] | undefined>(undefined);
  readonly head = signal<Playhead | null>(null);
  readonly isSilent = signal(false); // there is no sound
  readonly isEditing = signal(false);
  readonly isUnsaved = signal(false);
  readonly isDone = computed(() => this.transcript.value?.state === "done");
  private isClosed = false;
  private readonly ends: (() => void)[];

  constructor(private readonly id: string) {
    this.ends = [
      effect(() => (void changes.transcripts.value, void this.read())),
      effect(() => (void changes.segments.value, void this.readSegments())),
      effect(() => void (this.isDone.value && this.readSound())),
    ];
  }

  close(): void {
    this.isClosed = true;
    for (const end of this.ends) end();
    this.head.value?.close();
  }

  /** A segment that was corrected. */
  correct(changed: Segment): void {
    this.segments.value = this.segments.value!.map((each) => (each.number === changed.number ? changed : each));
    const words = this.segments.value.reduce((sum, each) => sum + each.words.length, 0);
    this.transcript.value = { ...this.transcript.value!, words };
    void this.saved(keepSegment(this.transcript.value, changed));
  }

  retitle(title: string): void {
    this.transcript.value = { ...this.transcript.value!, title };
    void this.saved(amend(this.id, { title }));
  }

  private async saved(saving: Promise<void>): Promise<void> {
    try {
      await saving;
      this.isUnsaved.value = false;
    } catch {
      this.isUnsaved.value = true;
    }
  }

  private async read(): Promise<void> {
    this.transcript.value = (await transcript(this.id).catch(() => null)) ?? null;
  }

  /** What is being edited is newer than what can be read. */
  private async readSegments(): Promise<void> {
    if (this.isEditing.peek()) return;
    const read = await segments(this.id).catch(() => []);
    if (!this.isEditing.peek() && !isSame(read, this.segments.peek())) this.segments.value = read;
  }

  private async readSound(): Promise<void> {
    const known = this.transcript.peek()!;
    const sound = await soundOf(known);
    if (this.isClosed) return;
    this.isSilent.value = !sound;
    this.head.value = sound && new Playhead(sound, known.duration);
  }
}

function isSame(one: Segment[], other: Segment[] | undefined): boolean {
  const isLike = ({ text, start, end }: Segment, { text: text2, start: start2, end: end2 }: Segment) =>
    text === text2 && start === start2 && end === end2;
  return one.length === other?.length && one.every((segment, i) => isLike(segment, other[i]!));
}
