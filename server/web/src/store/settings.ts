/** What the user has chosen; kept in this browser, written at each keystroke so that nothing typed is lost. */

import { effect, signal, type Signal } from "@preact/signals";

import type { Wishes } from "../protocol/messages";
import { hotwordsOf } from "../text/hotwords";
import { keep, recall } from "./storage";

export interface Profile {
  name: string;
  hotwords: string; // as typed: one a line, `NCCL | nickel | weight=2`
  lists: string[];
}

/** A signal that outlasts the page, and follows what other pages do to it. */
function kept<T>(name: string, initial: T): Signal<T> {
  const key = `stenoline.${name}`;
  const state = signal(parsed(recall("local", key), initial));
  effect(() => keep("local", key, JSON.stringify(state.value)));
  addEventListener("storage", (event) => {
    if (event.key === key) state.value = parsed(event.newValue, initial);
  });
  return state;
}

function parsed<T>(text: string | null, initial: T): T {
  try {
    return (JSON.parse(text ?? "null") as T | null) ?? initial;
  } catch {
    return initial;
  }
}

export const key = kept("key", "");
export const languages = kept<string[]>("languages", []); // none: found from the sound
export const profiles = kept<Profile[]>("profiles", [{ name: "", hotwords: "", lists: [] }]);
export const profile = kept("profile", 0);
export const silenceMs = kept("silenceMs", 500);
export const paragraphS = kept("paragraphS", 2);
export const asTyped = kept("asTyped", false); // numbers, units, commands
export const fillers = kept("fillers", true);
export const script = kept<"" | "simplified" | "traditional">("script", "");
export const device = kept("device", "");
export const showsConfidence = kept("showsConfidence", false);
export const captionSize = kept<"s" | "m" | "l">("captionSize", "m");
export const contrast = kept<"normal" | "high">("contrast", "normal");
export const theme = kept<"system" | "light" | "dark">("theme", "system");
export const locale = kept<"" | "en" | "zh">("locale", ""); // none: as the browser is set

export const mostHotwords = signal(1_000); // the server tells its own

export function chosen(): Profile {
  return profiles.value[profile.value] ?? profiles.value[0] ?? { name: "", hotwords: "", lists: [] };
}

/** What a session is asked for. */
export function wishes(): Wishes {
  const { hotwords, lists } = chosen();
  return {
    language: languages.value.length ? languages.value : null,
    hotwords: hotwordsOf(hotwords).slice(0, mostHotwords.value),
    hotword_lists: lists,
    endpointing: { silence_ms: silenceMs.value },
    text: { itn: asTyped.value, fillers: fillers.value, script: script.value || null },
  };
}
