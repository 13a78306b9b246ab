/** A transcript as a file: plain text, subtitles, Markdown, JSON. */

import type { Word } from "../protocol/messages";
import type { Segment, Transcript } from "../store/database";
import { joined, paragraphs } from "./paragraphs";

export type Format = "txt" | "srt" | "vtt" | "md" | "json";

type Writer = (transcript: Transcript, segments: Segment[], paragraphS: number) => string;

export const FORMATS: Record<Format, { type: string; write: Writer }> = {
  txt: { type: "text/plain", write: txt },
  srt: { type: "application/x-subrip", write: (_, segments) => cues(segments).map(srtCue).join("") },
  vtt: { type: "text/vtt", write: (_, segments) => "WEBVTT\n\n" + cues(segments).map(vttCue).join("") },
  md: { type: "text/markdown", write: md },
  json: { type: "application/json", write: json },
};

/** A name that every file system takes. */
export function fileName(title: string, extension: string): string {
  const plain = title
    .replace(/[\p{Cc}\p{Cf}\\/:*?"<>|]+/gu, " ")
    .replace(/\s+/g, " ")
    .trim();
  return `${
    plain
      .replace(/^[. ]+/, "")
      .slice(0, 80)
      .trim() || "transcript"
  }.${extension}`;
}

const said = (segments: Segment[]) => segments.filter((each) => each.text.trim());

function txt(_: Transcript, segments: Segment[], paragraphS: number): string {
  const parts = paragraphs(said(segments), paragraphS).map((each) => joined(each.map(({ text }) => text)));
  return parts.join("\n\n") + "\n";
}

function md(transcript: Transcript, segments: Segment[], paragraphS: number): string {
  const facts = [day(transcript.created), time(transcript.duration), transcript.language].filter(Boolean).join(" · ");
  const parts = paragraphs(said(segments), paragraphS).map(
    (each) => `**${time(each[0]!.start)}** ${escaped(joined(each.map(({ text }) => text)))}`,
  );
  return [`# ${escaped(transcript.title)}`, facts, ...parts].join("\n\n") + "\n";
}

const escaped = (text: string) => text.replace(/[\\`*_[\]<>&~#|]/g, "\\$&");

function json({ title, created, duration, language }: Transcript, segments: Segment[]): string {
  const told = segments.map(({ start, end, text, language, words }) => ({ start, end, text, language, words }));
  return JSON.stringify({ title, created: new Date(created).toISOString(), duration, language, segments: told }, null, 2) + "\n";
}

// subtitles

export interface Cue {
  start: number;
  end: number;
  lines: string[];
}

const COLUMNS = 42;
const LINES = 2;
const LONGEST_S = 7;
const SHORTEST_S = 1; // where what follows leaves room
const FLASH_S = 0.04; // what players show at all
const PAUSE_S = 1.5;
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff01-\uff60]/u;

/** Columns of a text: wide characters take two. */
export function width(text: string): number {
  return [...text].reduce((sum, letter) => sum + (WIDE.test(letter) ? 2 : 1), 0);
}

/** In order and apart from each other; each fits a screen. */
export function cues(segments: Segment[]): Cue[] {
  const found = said(segments).flatMap(({ words }) => cut(words.flatMap(broken)));
  let free = 0;
  for (const [i, cue] of found.entries()) {
    cue.start = Math.max(cue.start, free);
    const wanted = Math.min(Math.max(cue.end, cue.start + SHORTEST_S), cue.start + LONGEST_S);
    cue.end = free = Math.max(Math.min(wanted, found[i + 1]?.start ?? Infinity), cue.start + FLASH_S);
  }
  return found;
}

function cut(words: Word[]): Cue[] {
  const found: Cue[] = [];
  for (const word of words) {
    const cue = found.at(-1);
    if (!cue || isOver(cue, word) || !add(cue, word)) found.push({ start: word.start, end: word.end, lines: [word.text.trim()] });
  }
  return found;
}

/** Whether a word begins a new cue although there may be room: a sentence is best begun at the top. */
function isOver(cue: Cue, word: Word): boolean {
  const isFull = cue.lines.length === LINES && /[.?!…。？！]$/u.test(cue.lines.at(-1)!);
  return isFull || word.end - cue.start > LONGEST_S || word.start - cue.end > PAUSE_S;
}

/** False if there is no room for it. */
function add(cue: Cue, word: Word): boolean {
  const line = cue.lines.at(-1)! + word.text;
  if (width(line) <= COLUMNS) cue.lines[cue.lines.length - 1] = line;
  else if (cue.lines.length < LINES) cue.lines.push(word.text.trim());
  else return false;
  cue.end = word.end;
  return true;
}

/** A word that is wider than a line, in pieces. */
function broken(word: Word): Word[] {
  if (width(word.text.trim()) <= COLUMNS) return [word];
  const letters = [...word.text];
  const count = Math.ceil(letters.length / (COLUMNS / 2));
  const step = (word.end - word.start) / count;
  return Array.from({ length: count }, (_, i) => ({
    ...word,
    text: letters.slice((i * COLUMNS) / 2, ((i + 1) * COLUMNS) / 2).join(""),
    start: word.start + i * step,
    end: word.start + (i + 1) * step,
  }));
}

function srtCue({ start, end, lines }: Cue, i: number): string {
  return `${i + 1}\n${stamp(start, ",")} --> ${stamp(end, ",")}\n${lines.join("\n")}\n\n`;
}

function vttCue({ start, end, lines }: Cue): string {
  const text = lines.join("\n").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  return `${stamp(start, ".")} --> ${stamp(end, ".")}\n${text}\n\n`;
}

// times

const two = (value: number, digits = 2) => String(value).padStart(digits, "0");

function stamp(seconds: number, point: string): string {
  const ms = Math.round(seconds * 1000);
  return `${time(ms / 1000)}${point}${two(ms % 1000, 3)}`;
}

function time(seconds: number): string {
  const whole = Math.floor(seconds);
  return [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60].map((part) => two(part)).join(":");
}

function day(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
