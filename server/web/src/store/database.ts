/** IndexedDB: what is in it, and promises for its requests. */

import { signal } from "@preact/signals";

import type { AsrTrouble } from "../protocol/asr";
import type { Word } from "../protocol/messages";

/** One recording and what was said in it. */
export interface Transcript {
  id: string;
  title: string;
  created: number; // ms
  source: "microphone" | "file";
  /** writing: a file on its way through the server; stopped: one that is not, see `fault`. */
  state: "recording" | "writing" | "stopped" | "done";
  rate: number; // of its pieces of sound, Hz; 0: the sound is a file as it was handed in
  duration: number; // s
  language: string;
  words: number;
  fault?: { kind: AsrTrouble; message: string } | null;
}

/** A final, as it came and as it was corrected. Times in seconds of the recording. */
export interface Segment {
  transcript: string;
  number: number;
  start: number;
  end: number;
  text: string;
  words: Word[];
  language: string;
  pause: number; // silence before it, s
}

interface Sound {
  transcript: string;
  number: number;
  data: Int16Array | Blob;
}

const NAME = "stenoline";
const STORES = ["transcripts", "segments", "sounds"] as const;
type Store = (typeof STORES)[number];

/** Counts changes, in this page and in others. */
export const changes = { transcripts: signal(0), segments: signal(0), sounds: signal(0) };
const elsewhere = new BroadcastChannel(NAME);
elsewhere.onmessage = ({ data }) => count(data as Store[]);

function count(stores: readonly Store[]): void {
  for (const store of stores) changes[store].value++;
}

function announce(stores: readonly Store[]): void {
  count(stores);
  elsewhere.postMessage(stores);
}

/** Something was not kept: there is no database, or no room in it. */
export const keepsNothing = signal(false);

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("transcripts", { keyPath: "id" });
      request.result.createObjectStore("segments", { keyPath: ["transcript", "number"] });
      request.result.createObjectStore("sounds", { keyPath: ["transcript", "number"] });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }).then(
    (found) => {
      found.onclose = () => (opened = null); // the user has cleared what this site keeps
      return found;
    },
    (error: unknown) => {
      opened = null;
      return fail(error);
    },
  );
  return opened;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** `isAll`: the work asks for nothing more later, so it is done even if the page is closed right now. */
async function change(stores: Store[], work: (transaction: IDBTransaction) => void, isAll = true): Promise<void> {
  const transaction = (await database()).transaction(stores, "readwrite");
  work(transaction);
  if (isAll) transaction.commit();
  await new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  }).catch(fail);
  announce(stores);
}

function fail(error: unknown): never {
  keepsNothing.value = true;
  throw error;
}

async function read<T>(store: Store, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  return settled(ask((await database()).transaction(store).objectStore(store)));
}

const all = (transcript: string) => IDBKeyRange.bound([transcript], [transcript, []]);

/** Newest first. */
export async function transcripts(): Promise<Transcript[]> {
  const found = await read("transcripts", (store) => store.getAll() as IDBRequest<Transcript[]>);
  return found.sort((a, b) => b.created - a.created);
}

export function transcript(id: string): Promise<Transcript | undefined> {
  return read("transcripts", (store) => store.get(id) as IDBRequest<Transcript | undefined>);
}

export function segments(id: string): Promise<Segment[]> {
  return read("segments", (store) => store.getAll(all(id)) as IDBRequest<Segment[]>);
}

const FIRST = 5;

/** What was said first. */
export function opening(id: string): Promise<Segment[]> {
  return read("segments", (store) => store.getAll(all(id), FIRST) as IDBRequest<Segment[]>);
}

/** Pieces of sound in order, or the one file; all of them, or some from a number on. */
export async function sounds(id: string, from = 0, most?: number): Promise<(Int16Array | Blob)[]> {
  const range = IDBKeyRange.bound([id, from], [id, []]);
  const found = await read("sounds", (store) => store.getAll(range, most) as IDBRequest<Sound[]>);
  return found.map((each) => each.data);
}

export function keep(transcript: Transcript): Promise<void> {
  return change(["transcripts"], (t) => t.objectStore("transcripts").put(transcript));
}

/** A segment and what it changes about its transcript, both or neither. */
export function keepSegment(transcript: Transcript, segment: Segment): Promise<void> {
  return change(["transcripts", "segments"], (t) => {
    t.objectStore("transcripts").put(transcript);
    t.objectStore("segments").put(segment);
  });
}

/** Some of a transcript, and segments with it, all or none; `isWhole`: instead of those there are. One that is gone stays gone. */
export function amend(id: string, part: Partial<Transcript>, put: Segment[] = [], isWhole = false): Promise<void> {
  return change(["transcripts", "segments"], (t) => {
    const store = t.objectStore("transcripts");
    const known = store.get(id) as IDBRequest<Transcript | undefined>;
    known.onsuccess = () => {
      if (!known.result) return;
      store.put({ ...known.result, ...part });
      if (isWhole) t.objectStore("segments").delete(all(id));
      for (const segment of put) t.objectStore("segments").put(segment);
      t.commit(); // done even if the page is closed right now
    };
  }, false);
}

export function keepSound(transcript: string, number: number, data: Int16Array | Blob): Promise<void> {
  return change(["sounds"], (t) => t.objectStore("sounds").put({ transcript, number, data } satisfies Sound));
}

/** All of a transcript, or only what was written down of it. */
export function remove(id: string, stores: readonly Store[] = STORES): Promise<void> {
  return change([...stores], (t) => {
    for (const store of stores) t.objectStore(store).delete(store === "transcripts" ? id : all(id));
  });
}
