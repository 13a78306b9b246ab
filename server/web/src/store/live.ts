/** The recording that goes on, whatever view is shown. */

import { batch, computed, signal } from "@preact/signals";

import { Microphone, MicrophoneFault, type Piece } from "../audio/microphone";
import { Tape } from "../audio/tape";
import { date } from "../i18n";
import { t } from "../i18n/live";
import type { Fault, Final, Partial } from "../protocol/messages";
import { Stream, type Place, type Session, type Status } from "../protocol/stream";
import type { Segment, Transcript } from "./database";
import { Recording, unfinished, type Left } from "./recording";
import { room, secret, type Room } from "./room";
import { server } from "./server";
import { chosen, device, key, profiles, profile, wishes } from "./settings";

export type Phase = "idle" | "opening" | "recording" | "finishing";
export type Trouble = "denied" | "absent" | "busy" | "insecure" | "lost" | "key" | "refused";

export const phase = signal<Phase>("idle");
export const segments = signal<Segment[]>([]);
export const partial = signal<Partial | null>(null);
export const status = signal<Status>({ kind: "ended" });
export const outage = signal<Extract<Status, { kind: "waiting" }> | null>(null); // also while it is being tried again
export const isBehind = signal(false); // connected again, with sound from before still to be sent or written
export const peak = signal(0);
export const heardS = signal(0);
export const isMute = signal(false); // the microphone gives no sound: the system has other uses for it
export const trouble = signal<Trouble | null>(null);
export const fault = signal<Fault | null>(null);
export const title = signal("");
export const recovering = signal<Transcript | null>(null);
export const finished = signal<string | null>(null); // id of the transcript that was made last
export { room };
export const viewers = signal(0);
export const realTimeFactor = signal<number | null>(null);

const latencies = signal<number[]>([]);
export const latencyMs = computed(() => median(latencies.value));

const LATENCIES = 15;
const BEHIND_S = 2;

let microphone: Microphone | null = null;
let stream: Stream | null = null;
let recording: Recording | null = null;
let tape: Tape | null = null;
let processingS = 0;
let spokenS = 0;

function median(values: number[]): number | null {
  return values.length ? [...values].sort((a, b) => a - b)[values.length >> 1]! : null;
}

/** From the microphone, until stop(). */
export async function start(): Promise<void> {
  if (phase.value !== "idle") return;
  batch(() => {
    phase.value = "opening";
    trouble.value = fault.value = null;
  });
  try {
    microphone = await Microphone.open(device.value);
  } catch (error) {
    batch(() => {
      phase.value = "idle";
      trouble.value = error instanceof MicrophoneFault ? error.kind : "busy";
    });
    return;
  }
  const made = Recording.begin("microphone", microphone.rate, t("untitled", { date: date(Date.now()) }));
  follow(made, new Tape(microphone.rate), []);
  microphone.start(
    hear,
    () => {
      trouble.value = "lost";
      stop();
    },
    (now) => (isMute.value = now),
  );
  phase.value = "recording";
}

function follow(made: Recording, heard: Tape, written: Segment[], covered = heard.start): void {
  recording = made;
  tape = heard;
  processingS = spokenS = 0;
  batch(() => {
    segments.value = written;
    title.value = made.transcript.title;
    heardS.value = heard.end / heard.rate;
    latencies.value = [];
    realTimeFactor.value = finished.value = null;
    isBehind.value = false;
  });
  const tell = { status: onStatus, partial: onPartial, final: onFinal, fault: onFault, session: onSession, viewers: (n: number) => (viewers.value = n) };
  const shared = room.value?.recording === made.transcript.id ? room.value : null;
  stream = new Stream(heard, place, wishes, tell, covered, shared?.session);
}

export function stop(): void {
  if (phase.value !== "recording") return;
  microphone?.stop();
  microphone = null;
  recording?.flush();
  silence();
  phase.value = "finishing";
  stream?.stop();
}

/** Not to wait any longer for the rest of the text; the sound is kept, and can be written down again. */
export function leave(): void {
  if (phase.value === "finishing") stream?.abandon();
}

function silence(): void {
  peak.value = 0;
  isMute.value = false;
}

function hear({ samples, peak: loudest }: Piece): void {
  tape!.push(samples, performance.now());
  recording!.hear(samples);
  stream?.pump();
  batch(() => {
    peak.value = loudest;
    heardS.value = tape!.end / tape!.rate;
  });
}

function onStatus(next: Status): void {
  batch(() => {
    if (next.kind === "live" && status.value.kind === "connecting" && tape && stream) {
      isBehind.value = tape.end - stream.covered > BEHIND_S * tape.rate && segments.value.length + heardS.value > BEHIND_S;
    }
    status.value = next;
    if (next.kind !== "connecting") outage.value = next.kind === "waiting" ? next : null;
    if (next.kind === "refused") trouble.value = next.why;
  });
  if (next.kind === "ended" || next.kind === "refused") void finish();
}

async function finish(): Promise<void> {
  const [made, heard, isRest] = [recording, tape, stream?.hasRest ?? false];
  microphone?.stop();
  microphone = stream = recording = tape = null;
  const isKept = made && heard && (await made.finish(heard.end / heard.rate, isRest));
  batch(() => {
    finished.value = isKept ? made.transcript.id : null;
    recovering.value = partial.value = null;
    isBehind.value = false;
    silence();
    phase.value = "idle";
  });
}

function onPartial(next: Partial | null): void {
  partial.value = next;
  if (!next || !tape) return;
  const heardAt = tape.heardAt(next.end * tape.rate);
  if (heardAt !== null && !document.hidden) requestAnimationFrame(() => note(performance.now() - heardAt)); // hidden pages have no frames
  if (tape.end - next.end * tape.rate < BEHIND_S * tape.rate) isBehind.value = false;
}

function note(latency: number): void {
  latencies.value = [...latencies.value, latency].slice(-LATENCIES);
}

function onFinal(final: Final): void {
  const segment = recording!.write(final, segments.value.at(-1));
  spokenS += final.end - final.start;
  processingS += final.processing ?? 0;
  batch(() => {
    segments.value = [...segments.value, segment];
    if (final.processing !== undefined && spokenS) realTimeFactor.value = processingS / spokenS;
  });
}

/** Who takes over the room goes on speaking there; what is said here is written down for this page alone. */
function onFault(next: Fault): void {
  fault.value = next;
  if (next.code === "taken_over") room.value = null;
}

/** Hotwords may change in mid-sentence. */
export function biasAgain(): void {
  stream?.configure();
}

profiles.subscribe(biasAgain);
profile.subscribe(() => void (chosen() && biasAgain()));

// rooms

function place(): Place {
  const shared = hearing();
  const own = server.value?.key_required === false ? "" : key.value; // one that was meant for another server opens no room
  return shared
    ? { path: `/v1/captions/${shared.name}?role=speaker`, key: own || shared.key, room: shared.name }
    : { path: "/v1/stream", key: key.value };
}

/** The room that hears the present recording. The rest of one that was left behind is only for those who heard its beginning. */
function hearing(): Room | null {
  const rest = recovering.value;
  return rest && rest.id !== room.value?.recording ? null : room.value;
}

/** A page that comes back finds the place again. */
function onSession(session: Session): void {
  if (room.value && hearing() && recording) room.value = { ...room.value, recording: recording.transcript.id, session };
}

export function share(): void {
  room.value = { name: secret(), key: secret() };
  viewers.value = 0;
  stream?.move();
}

export function unshare(): void {
  room.value = null;
  stream?.move();
}

// what a closed page left behind

/** Write down the rest of recordings that a page left in the middle, one after the other. */
export async function recover(): Promise<void> {
  for (const transcript of await unfinished().catch(() => [])) {
    const left = await Recording.resume(transcript).catch(() => null);
    if (left && phase.value !== "idle") return left.recording.release();
    if (left) await restore(left);
  }
}

async function restore({ recording: made, rest, written }: Left): Promise<void> {
  const { transcript } = made;
  phase.value = "finishing";
  const heard = new Tape(transcript.rate, rest.start);
  for (const piece of rest.sound) heard.push(piece);
  recovering.value = transcript;
  const covered = Math.round((written.at(-1)?.end ?? 0) * transcript.rate);
  follow(made, heard, written, covered);
  stream!.stop();
  await new Promise<void>((resolve) => {
    const done = phase.subscribe((now) => {
      if (now === "idle") queueMicrotask(() => (done(), resolve()));
    });
  });
}

/** What the one button does. */
export function toggle(): void {
  if (phase.value === "recording") stop();
  else if (phase.value === "idle") void start();
}

/** The transcript that was finished last, out of the way. */
export function clear(): void {
  batch(() => {
    segments.value = [];
    finished.value = trouble.value = fault.value = null;
    title.value = "";
  });
}
