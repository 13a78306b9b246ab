/** The transcripts that there are, and search in them. */

import { computed, effect, signal } from "@preact/signals";

import { fold, terms } from "../text/search";
import { changes, remove as forget, segments, transcripts, type Segment, type Transcript } from "./database";
import { dismiss } from "./files";

/** A transcript, and the segments in which something that was looked for occurs. */
export interface Found {
  transcript: Transcript;
  segments: Segment[];
}

export const all = signal<Transcript[] | null>(null); // null: not read yet
export const query = signal("");
export const wanted = computed(() => terms(query.value));
export const found = signal<Found[]>([]);
export const isSearching = signal(false);

const PATIENCE_MS = 150; // after a keystroke, or a change

/** Follows the database until the function that it gives is called. */
export function follow(): () => void {
  return effect(() => {
    void changes.transcripts.value;
    void transcripts().then(
      (read) => (all.value = read),
      () => (all.value = []), // the page says that nothing is kept
    );
  });
}

/** Searches anew when the query or a transcript changes, until the function that it gives is called. */
export function search(): () => void {
  return effect(() => {
    const [among, looked] = [all.value ?? [], wanted.value];
    isSearching.value = looked.length > 0;
    const run = { isOver: false };
    const timer = setTimeout(() => void look(among, looked, run), looked.length ? PATIENCE_MS : 0);
    return () => {
      clearTimeout(timer);
      run.isOver = true;
    };
  });
}

/** One transcript after the other, so that memory holds the text of one. */
async function look(among: Transcript[], looked: string[], run: { isOver: boolean }): Promise<void> {
  const hits: Found[] = [];
  for (const transcript of looked.length ? among : []) {
    const hit = await lookedInto(transcript, looked);
    if (run.isOver) return;
    if (hit) hits.push(hit);
  }
  found.value = hits;
  isSearching.value = false;
}

/** Every word must occur, in the title or in what was said. */
async function lookedInto(transcript: Transcript, looked: string[]): Promise<Found | null> {
  const title = fold(transcript.title);
  const texts = (await segments(transcript.id)).map((segment) => ({ segment, plain: fold(segment.text) }));
  if (!looked.every((term) => title.includes(term) || texts.some(({ plain }) => plain.includes(term)))) return null;
  const hit = texts.filter(({ plain }) => looked.some((term) => plain.includes(term)));
  return { transcript, segments: hit.map(({ segment }) => segment) };
}

export const removed = signal(""); // title of the one that was deleted last

/** With its sound, wherever it is on its way. */
export async function remove({ id, title }: Transcript): Promise<void> {
  await dismiss(id);
  await forget(id);
  removed.value = title;
}

/** Room in this browser, bytes, and whether it will keep what is here; it is asked to. Null where it does not tell. */
export async function room(): Promise<{ used: number; quota: number; isPersisted: boolean } | null> {
  if (!navigator.storage?.estimate) return null; // plain HTTP from elsewhere
  const isPersisted = await navigator.storage.persist();
  const { usage = 0, quota = 0 } = await navigator.storage.estimate();
  return { used: usage, quota, isPersisted };
}
