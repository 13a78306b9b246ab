/** The room in which this tab speaks. It stays through reloads and pauses until sharing is stopped or the tab is closed. */

import { effect, signal } from "@preact/signals";

import type { Session } from "../protocol/stream";
import { keep, recall } from "./storage";

export interface Room {
  name: string;
  key: string;
  recording?: string; // id of the transcript that it hears
  session?: Session; // the last one that it heard
}

const KEPT = "stenoline.room";

function found(): Room | null {
  try {
    return JSON.parse(recall("session", KEPT) ?? "null") as Room | null;
  } catch {
    return null;
  }
}

export const room = signal<Room | null>(found());

effect(() => keep("session", KEPT, room.value && JSON.stringify(room.value)));

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/** 132 bits that nobody can guess. */
export function secret(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(22)), (byte) => LETTERS[byte & 63]).join("");
}
