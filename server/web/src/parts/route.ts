/** Which view is shown: the part of the address behind #, so that every view has a link and the server needs no route. */

import { computed, signal } from "@preact/signals";

export type View = "live" | "files" | "history" | "settings";

const hash = signal(location.hash);
addEventListener("hashchange", () => (hash.value = location.hash));

const parts = computed(() => hash.value.replace(/^#\/?/, "").split("/").map(decoded));
const VIEWS: View[] = ["live", "files", "history", "settings"];

export const view = computed<View>(() => VIEWS.find((each) => each === parts.value[0]) ?? "live");

/** What follows the view: of `#/history/ID`, the ID. */
export const detail = computed(() => parts.value[1] ?? "");

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // half of a link
  }
}

export function link(to: View, what = ""): string {
  return `#/${to}${what ? `/${encodeURIComponent(what)}` : ""}`;
}
