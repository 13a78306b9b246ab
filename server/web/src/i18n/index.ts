/** Texts in English and Chinese: each view has a module of its own, and both languages must have every key. */

import { computed, signal } from "@preact/signals";

import { locale } from "../store/settings";

/** Asked for by the address of this page, for itself alone. */
export const asked = signal<"" | "en" | "zh">("");

export const language = computed<"en" | "zh">(() => asked.value || locale.value || (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"));

export type Values = Record<string, string | number>;

/** A function that gives the text for a key in the present language, with `{name}` filled in. */
export function phrases<K extends string>(en: Record<K, string>, zh: Record<NoInfer<K>, string>): (key: K, values?: Values) => string {
  return (key, values = {}) =>
    (language.value === "zh" ? zh : en)[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** `1:02:03`, or `2:03` within the first hour. */
export function clock(seconds: number): string {
  const [hours, minutes, rest] = [3600, 60, 1].map((unit) => Math.floor(seconds / unit) % (unit === 3600 ? Infinity : 60));
  const two = (part = 0) => String(part).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function date(ms: number): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(ms);
}

/** In the words of the present language: `Cantonese` for `yue`. */
export function languageName(code: string): string {
  try {
    const name = new Intl.DisplayNames([language.value], { type: "language" }).of(code) ?? code;
    return name === code ? (UNNAMED[code]?.[language.value] ?? code) : name;
  } catch {
    return code;
  }
}

/** Languages that browsers have no name for. */
const UNNAMED: Record<string, { en: string; zh: string }> = {
  ba: { en: "Bashkir", zh: "巴什基尔语" },
  bo: { en: "Tibetan", zh: "藏语" },
};
