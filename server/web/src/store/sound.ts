/** The sound of a transcript as a file, as it was handed in or made of the pieces that the microphone gave. */

import { wav } from "../audio/wav";
import { sounds, type Transcript } from "./database";

/** Null if there is none. */
export async function soundOf({ id, rate }: Transcript): Promise<Blob | null> {
  const kept = await sounds(id);
  if (!rate) return kept.find((each) => each instanceof Blob) ?? null;
  const pieces = kept.filter((each) => each instanceof Int16Array);
  return pieces.length ? wav(pieces, rate) : null;
}

/** What the browser can tell of its length, s; null if nothing. */
export function lengthOf(sound: Blob): Promise<number | null> {
  const probe = new Audio();
  const url = URL.createObjectURL(sound);
  return new Promise<number | null>((resolve) => {
    probe.onloadedmetadata = () => resolve(Number.isFinite(probe.duration) ? probe.duration : null);
    probe.onerror = () => resolve(null);
    probe.preload = "metadata";
    probe.src = url;
  }).finally(() => {
    probe.removeAttribute("src");
    URL.revokeObjectURL(url);
  });
}
