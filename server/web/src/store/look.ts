/** How captions look: chosen by the address, which follows every change, so that it can be copied to another place. */

import { computed, effect, signal, type Signal } from "@preact/signals";

import { asked, language } from "../i18n";

export const THEMES = ["system", "light", "dark", "transparent"] as const;
export const SIZES = ["s", "m", "l", "xl"] as const;
export const POSITIONS = ["bottom", "middle", "top"] as const;
export const ALIGNMENTS = ["left", "center", "right"] as const;
export const LINES = ["1", "2", "3", "4", "5", "6", "all"] as const;
export const HOLDS = ["3", "5", "8", "15", "30", "0"] as const;
export const LOCALES = ["en", "zh"] as const;

/** A parameter with a value that it cannot have. */
export interface Mistake {
  name: string;
  value: string;
  expected: string;
}

const given = new URLSearchParams(location.search);
const choices: { name: string; state: Signal<string>; usual: string }[] = [];
export const mistakes: Mistake[] = [];

function choice(name: string, usual: string, pattern: RegExp, expected: string): Signal<string> {
  const value = given.get(name);
  const isGood = value === null || pattern.test(value);
  if (!isGood) mistakes.push({ name, value, expected });
  const state = signal(isGood && value !== null ? value : usual);
  choices.push({ name, state, usual });
  return state;
}

const of = (names: readonly string[]) => [new RegExp(`^(${names.join("|")})$`), names.join(", ")] as const;

export const theme = choice("theme", "system", ...of(THEMES));
export const lines = choice("lines", "3", /^([1-9]|1\d|20|all)$/, "1–20, all");
export const size = choice("size", "m", /^(s|m|l|xl|1[2-9]|[2-9]\d|[1-4]\d\d)$/, "s, m, l, xl, 12–499 (px)");
export const position = choice("position", "bottom", ...of(POSITIONS));
export const align = choice("align", "left", ...of(ALIGNMENTS));
export const hold = choice("hold", "8", /^(\d{1,3}(\.\d+)?)$/, "0–999 (s)");
export const lang = choice("lang", "", ...of(LOCALES));

export const room = given.get("room");
export const isTransparent = computed(() => theme.value === "transparent");

/** The parameters of this page, or of one for the viewers of a room. */
export function parameters(of: string | null = room): string {
  const all = new URLSearchParams(of === null ? {} : { room: of });
  for (const { name, state, usual } of choices) if (state.value !== usual) all.set(name, state.value);
  const text = all.toString();
  return text ? `?${text}` : "";
}

effect(() => {
  if (parameters() !== location.search) history.replaceState(null, "", location.pathname + parameters());
});
effect(() => {
  asked.value = lang.value as "" | "en" | "zh";
});
effect(() => {
  const root = document.documentElement;
  root.dataset.theme = theme.value;
  root.lang = language.value === "zh" ? "zh-Hans" : "en";
});
