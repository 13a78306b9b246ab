// Names in a program that a recogniser cannot know: those with capitals inside, digits or underscores.
const NAME = /\p{L}[\p{L}\p{N}_]{2,40}/gu;
const UNUSUAL = /.\p{Lu}|[\p{N}_]/u;

/** The most frequent names first. */
export function names(text: string, most: number): string[] {
  const counts = new Map<string, number>();
  for (const [name] of text.matchAll(NAME)) if (UNUSUAL.test(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, most).map(([name]) => name);
}
