/** What is known of the server; asked until it answers. */

import { computed, signal } from "@preact/signals";

import { info, type Info } from "../protocol/server";
import { key, mostHotwords } from "./settings";

export const server = signal<Info | null>(null);
export const isUnreachable = signal(false);
export const needsKey = computed(() => server.value?.key_required === true && !key.value);

const AGAIN_MS = 3_000;

export async function ask(): Promise<void> {
  try {
    server.value = await info();
    mostHotwords.value = server.value.hotwords.most;
    isUnreachable.value = false;
  } catch {
    isUnreachable.value = true;
    setTimeout(() => void ask(), AGAIN_MS);
  }
}
