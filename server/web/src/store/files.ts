/** Recordings that were handed in, and their way through the server: one after the other, whatever view is shown. */

import { signal } from "@preact/signals";

import { transcribe, AsrFault, type AsrTrouble } from "../protocol/asr";
import type { Final } from "../protocol/messages";
import { reason } from "../protocol/server";
import { joined } from "../text/paragraphs";
import { amend, keep, keepSound, remove as forget, transcript, transcripts, type Segment, type Transcript } from "./database";
import { hold } from "./locks";
import { server } from "./server";
import { key, wishes } from "./settings";
import { lengthOf, soundOf } from "./sound";
import { segmentOf } from "./segment";

/** stopped: see its fault; pausing: the server cannot take it now, and is asked again. */
export type Phase = "waiting" | "uploading" | "writing" | "pausing" | "stopped" | "done";

export interface Job {
  id: string; // of its transcript
  title: string;
  bytes: number;
  duration: number; // s; 0: not known yet
  phase: Phase;
  sent: number; // bytes
  heard: number; // s
  written: number; // s: up to the end of the last final
  text: string; // the end of what has been written down; its beginning once all is
  fault: { kind: AsrTrouble; message: string } | null;
  until: number; // ms, as Date.now() counts: end of a pause
  isAgain: boolean; // there is a text, which stays until the new one is complete
  isKept: boolean; // in the database: outlasts this page
}

export const jobs = signal<Job[]>([]);
export const isTooMany = signal(false);
export const hadFolders = signal(false); // among what was dropped last

const MOST = 200; // jobs
const WAITS_MS = [2_000, 4_000, 8_000, 15_000, 30_000];
const MOST_LOST = 4; // broken connections in a row: then it is not the network
const SHOWN = 400; // characters of the text

const PASSING: AsrTrouble[] = ["full", "unreachable", "lost"];

const unsaved = new Map<string, File>();
const stops = new Map<string, AbortController>();
const releases = new Map<string, () => void>();
let isWorking = false;
let hurry: () => void = () => undefined;

function change(id: string, what: Partial<Job>): void {
  jobs.value = jobs.value.map((job) => (job.id === id ? { ...job, ...what } : job));
}

const find = (id: string) => jobs.value.find((job) => job.id === id);

function jobOf({ id, title, duration, fault = null }: Transcript, bytes: number, more: Partial<Job> = {}): Job {
  const fresh = { phase: "waiting", sent: 0, heard: 0, written: 0, text: "", until: 0, isAgain: false, isKept: true } as const;
  return { ...fresh, id, title, bytes, duration, fault, ...more };
}

/** Files of the user's: into the database first, then to the server, in this order. */
export async function add(files: File[]): Promise<void> {
  isTooMany.value = jobs.value.length + files.length > MOST;
  const taken: [string, File][] = [];
  for (const file of files.slice(0, MOST - jobs.value.length)) taken.push([await take(file), file]);
  void work();
  for (const [id, file] of taken) measured(id, await lengthOf(file));
}

async function take(file: File): Promise<string> {
  const made: Transcript = {
    id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    title: file.name.replace(/\.\w{1,5}$/, "") || file.name,
    created: Date.now(),
    source: "file",
    state: "writing",
    rate: 0,
    duration: 0,
    language: "",
    words: 0,
  };
  await claim(made.id);
  jobs.value = [...jobs.value, jobOf(made, file.size)];
  try {
    await keep(made);
    await keepSound(made.id, 0, file);
  } catch {
    unsaved.set(made.id, file);
    change(made.id, { isKept: false });
  }
  await refuse(made.id, file, 0);
  return made.id;
}

/** Length as the browser knows it; what the server has told is better. */
function measured(id: string, duration: number | null): void {
  const job = find(id);
  if (!duration || !job || job.duration) return;
  change(id, { duration });
  if (job.phase === "waiting") void refuse(id, null, duration);
}

/** At once, not only when its turn has come. */
async function refuse(id: string, file: File | null, duration: number): Promise<void> {
  const fault = flawOf(file, duration);
  if (fault) await settle(id, fault);
}

/** Its sound once more through the server, with the present settings. */
export async function again(known: Transcript): Promise<void> {
  const sound = await soundOf(known);
  if (!sound || !(await claim(known.id))) return;
  jobs.value = [
    ...jobs.value.filter((job) => job.id !== known.id),
    jobOf({ ...known, fault: null }, sound.size, { isAgain: true }),
  ];
  void work();
}

/** False if another page has it. */
async function claim(id: string): Promise<boolean> {
  const release = releases.has(id) ? null : await hold(id);
  if (release) releases.set(id, release);
  return releases.has(id);
}

async function work(): Promise<void> {
  if (isWorking) return;
  isWorking = true;
  for (let job; (job = jobs.value.find((each) => each.phase === "waiting"));) await run(job.id);
  isWorking = false;
}

/** As often as it takes. */
async function run(id: string): Promise<void> {
  const stop = new AbortController();
  stops.set(id, stop);
  for (let tries = 0, lost = 0; ; tries++) {
    const fault = await attempt(id, stop.signal);
    if (!fault) break;
    lost = fault.kind === "lost" ? lost + 1 : 0;
    if (!PASSING.includes(fault.kind) || lost > MOST_LOST) {
      await settle(id, fault);
      break;
    }
    await pause(id, fault, WAITS_MS[Math.min(tries, WAITS_MS.length - 1)]!, stop.signal);
  }
  stops.delete(id);
}

async function attempt(id: string, stop: AbortSignal): Promise<AsrFault | null> {
  try {
    if (stop.aborted) throw new AsrFault("cancelled");
    const sound = unsaved.get(id) ?? (await soundOf((await transcript(id))!));
    if (!sound) throw new AsrFault("gone");
    const flaw = flawOf(sound, find(id)!.duration);
    if (flaw) throw flaw;
    const draft = new Draft(id, find(id)!.isAgain);
    await draft.begin();
    change(id, { phase: "uploading", fault: null, sent: 0, heard: 0, written: 0, text: "" });
    await draft.finish(
      await transcribe(sound, sound instanceof File ? sound.name : "recording.wav", wishes(), key.value, draft, stop),
    );
    return null;
  } catch (error) {
    return named(error, find(id)?.duration ?? 0);
  }
}

/** What the server would refuse only once all of it had gone up. */
function flawOf(sound: Blob | null, duration: number): AsrFault | null {
  if (sound && !sound.size) return new AsrFault("empty");
  if (sound && sound.size > (server.value?.recordings.most_bytes ?? Infinity)) return new AsrFault("tooLarge");
  return isTooLong(duration) ? new AsrFault("tooLong") : null;
}

const isTooLong = (duration: number) => duration > (server.value?.recordings.most_s ?? Infinity);

/** Browsers do not tell why a connection broke, so the server is asked. */
async function named(error: unknown, duration: number): Promise<AsrFault> {
  if (!(error instanceof AsrFault)) return new AsrFault("failed", String(error));
  if (error.kind === "unreadable" && isTooLong(duration)) return new AsrFault("tooLong");
  return error.kind === "lost" ? new AsrFault(await reason(key.value)) : error;
}

function pause(id: string, fault: AsrFault, ms: number, stop: AbortSignal): Promise<void> {
  change(id, { phase: "pausing", fault: { kind: fault.kind, message: fault.message }, until: Date.now() + ms });
  return new Promise((resolve) => {
    hurry = resolve;
    setTimeout(resolve, ms);
    addEventListener("online", hurry, { once: true });
    stop.addEventListener("abort", hurry, { once: true });
  });
}

/** It goes no further by itself; an older text is as good as it was. */
async function settle(id: string, { kind, message }: AsrFault): Promise<void> {
  const fault = { kind, message };
  const job = find(id);
  if (!job) return;
  change(id, { phase: "stopped", fault });
  if (!job.isAgain) await amend(id, { state: "stopped", fault });
}

/** The text of a job on its way into the database. */
class Draft {
  private segments: Segment[] = [];
  private saved: Promise<void> = Promise.resolve();

  constructor(
    private readonly id: string,
    private readonly isAgain: boolean,
  ) {}

  /** Without what an earlier try has left. */
  async begin(): Promise<void> {
    if (!this.isAgain) await amend(this.id, { state: "writing", fault: null, ...this.facts() }, [], true);
  }

  sent(bytes: number): void {
    change(this.id, { sent: bytes });
  }

  progress({ heard_s, duration_s }: { heard_s: number; duration_s: number | null }): void {
    change(this.id, { phase: "writing", heard: heard_s, ...(duration_s ? { duration: duration_s } : {}) });
  }

  final(final: Final): void {
    if (!final.words.length) return;
    const segment = segmentOf(final, this.id, this.segments.length, this.segments.at(-1));
    this.segments.push(segment);
    change(this.id, { written: segment.end, text: textOf(this.segments.slice(-20)).slice(-SHOWN) });
    if (!this.isAgain) this.saved = amend(this.id, this.facts(), [segment]);
  }

  async finish(duration: number): Promise<void> {
    await this.saved;
    await amend(this.id, { state: "done", fault: null, ...this.facts(), duration }, this.segments, true);
    change(this.id, { phase: "done", duration, heard: duration, text: textOf(this.segments.slice(0, 20)).slice(0, SHOWN) });
    unsaved.delete(this.id);
    releases.get(this.id)?.();
    releases.delete(this.id);
  }

  private facts(): Pick<Transcript, "words" | "language"> {
    const counts: Record<string, number> = {};
    for (const { language, words } of this.segments) counts[language] = (counts[language] ?? 0) + words.length;
    const [[language] = [""]] = Object.entries(counts).sort((a, b) => b[1] - a[1]);
    return { words: this.segments.reduce((sum, each) => sum + each.words.length, 0), language };
  }
}

const textOf = (segments: Segment[]) => joined(segments.map((each) => each.text));

/** Wherever it is; it can be tried again. */
export function cancel(id: string): void {
  const stop = stops.get(id);
  if (stop) stop.abort();
  else void settle(id, new AsrFault("cancelled"));
}

export function retry(id: string): void {
  if (find(id)?.phase === "pausing") hurry();
  else if (find(id)?.phase === "stopped") {
    change(id, { phase: "waiting", fault: null, sent: 0, heard: 0, written: 0, text: "" });
    void work();
  }
}

/** Out of the list; a transcript that is not done goes with it. */
export async function dismiss(id: string): Promise<void> {
  const job = find(id);
  jobs.value = jobs.value.filter((each) => each.id !== id);
  stops.get(id)?.abort();
  releases.get(id)?.();
  releases.delete(id);
  unsaved.delete(id);
  if (job && job.phase !== "done" && !job.isAgain) await forget(id);
}

export function dismissDone(): void {
  jobs.value = jobs.value.filter((job) => job.phase !== "done");
}

/** Jobs of a page that was closed: from their beginning; those that had stopped wait to be asked. */
async function restore(): Promise<void> {
  const unfinished = (await transcripts().catch(() => [])).filter(
    ({ source, state }) => source === "file" && (state === "writing" || state === "stopped"),
  );
  for (const each of unfinished.reverse()) {
    if (find(each.id) || !(await claim(each.id))) continue;
    const sound = await soundOf(each);
    jobs.value = [...jobs.value, jobOf(each, sound?.size ?? 0, { phase: each.state === "stopped" ? "stopped" : "waiting" })];
  }
  void work();
}

void restore();
