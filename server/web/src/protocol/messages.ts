/** What goes over /v1/stream and /v1/captions; docs/protocols/native.md and captions.md have the meaning. */

/** `text` keeps its leading space; times in seconds of the session's audio clock. */
export interface Word {
  text: string;
  start: number;
  end: number;
  confidence: number;
}

export interface Hotword {
  text: string;
  weight?: number;
  sounds_like?: string[];
}

export interface Partial {
  type: "partial";
  utterance: number;
  text: string;
  stable: Word[];
  unstable: Word[];
  start: number;
  end: number;
  language: string | null;
}

export interface Final {
  type: "final";
  utterance: number;
  text: string;
  words: Word[];
  start: number;
  end: number;
  language: string | null;
  reason: string;
  processing?: number;
}

export interface Fault {
  type: "error";
  code: string;
  message: string;
  field?: string | null;
  fatal: boolean;
}

export type Message =
  | { type: "ready"; session: string; config: { hotwords_active?: boolean } }
  | { type: "configured"; hotwords: number; hotword_lists: string[] }
  | { type: "speech_started"; utterance: number; at: number }
  | { type: "speech_ended"; utterance: number; at: number }
  | { type: "flushed"; marker: string | null; at: number }
  | { type: "warning"; code: string; message: string }
  | { type: "closed"; code: number; reason: string }
  | { type: "viewers"; viewers: number }
  | Partial
  | Final
  | Fault;

/** How a session begins, without its audio format. */
export interface Wishes {
  language: string | string[] | null;
  hotwords: Hotword[];
  hotword_lists: string[];
  endpointing: { silence_ms: number };
  text: { itn: boolean; fillers: boolean; script: string | null };
}
