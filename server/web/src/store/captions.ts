/** What is shown as captions: what is said in a room, or into this browser's own microphone. */

import { batch, computed, effect, signal, type ReadonlySignal } from "@preact/signals";

import { clock, language } from "../i18n";
import type { Partial } from "../protocol/messages";
import { Room, type RoomFinal, type Watcher, type Watching } from "../protocol/room";
import * as live from "./live";
import { hold, room as name } from "./look";
import { key } from "./settings";

/** A final, and when it was said, for people. */
export interface Said {
  id: string;
  text: string;
  time: string;
  language: string | null;
}

/** A transcript of hours stays readable; beyond this the oldest go. */
const MOST = 5_000;

const heard = signal<RoomFinal[]>([]);
const watchedPartial = signal<Partial | null>(null);
export const watching = signal<Watching>({ kind: "connecting" });
export const isLive = signal(false);
export const hasSpoken = signal(false); // somebody, since this page came
export const viewers = name === null ? live.viewers : signal(0);

const watcher: Watcher = {
  status: (status) => (watching.value = status),
  live: (now) => {
    isLive.value = now;
    hasSpoken.value ||= now;
  },
  viewers: (count) => (viewers.value = count),
  partial: (partial) => (watchedPartial.value = partial),
  finals: (finals) => (heard.value = [...heard.value, ...finals].slice(-MOST)),
};

const watched = name === null ? null : new Room(name, () => key.value, watcher);

/** Another try, with a key. */
export function enter(given: string): void {
  key.value = given;
  watched?.again();
}

export const partial: ReadonlySignal<Partial | null> = watched ? watchedPartial : live.partial;

export const finals: ReadonlySignal<Said[]> = computed(() => (watched ? heard.value.map(fromRoom) : live.segments.value.map(fromSegment)));

function fromRoom(final: RoomFinal): Said {
  return { id: `${final.session}/${final.utterance}`, text: final.text, time: timeOfDay(final.at), language: final.language };
}

function fromSegment(segment: (typeof live.segments.value)[number]): Said {
  return { id: `${segment.transcript}/${segment.number}`, text: segment.text, time: clock(segment.start), language: segment.language };
}

function timeOfDay(seconds: number): string {
  return new Intl.DateTimeFormat(language.value, { timeStyle: "medium", hourCycle: "h23" }).format(seconds * 1000);
}

/** A line for each final, for a file. */
export function asText(): string {
  return finals.value.map(({ time, text }) => `[${time}] ${text.trim()}\n`).join("");
}

// silence

export const isQuiet = signal(false); // for so long that the lines go
export const cleared = signal(""); // the last final that is not shown any more

let quietSince = "";
let timer = 0;

const newest = () => finals.value.at(-1)?.id ?? "";

effect(() => {
  const isSaying = Boolean(partial.value?.stable.length || partial.value?.unstable.length);
  if (isQuiet.peek() && (isSaying || newest() !== quietSince)) {
    batch(() => {
      cleared.value = quietSince;
      isQuiet.value = false;
    });
  }
  clearTimeout(timer);
  if (!isSaying && newest() && !isQuiet.peek() && Number(hold.value)) timer = window.setTimeout(hush, Number(hold.value) * 1000);
});

function hush(): void {
  quietSince = finals.peek().at(-1)?.id ?? "";
  isQuiet.value = true;
}
