/** The whole screen for the page, and back. */

import { signal } from "@preact/signals";

export const isFull = signal(false);
export const canBeFull = document.fullscreenEnabled === true;

document.addEventListener("fullscreenchange", () => (isFull.value = document.fullscreenElement !== null));

export function toggleFull(): void {
  if (!canBeFull) return;
  const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  change.catch(() => undefined); // it was not a person who asked
}
