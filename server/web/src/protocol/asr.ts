/** POST /asr with its events: a recording goes up, its text comes down; docs/protocols/asr.md has the meaning. */

import type { Final, Wishes } from "./messages";
import { address, authorization } from "./server";

export interface Progress {
  heard_s: number;
  duration_s: number | null;
}

/** What a call tells while it goes on. */
export interface AsrListener {
  sent(bytes: number): void;
  progress(progress: Progress): void;
  final(final: Final): void;
}

/** Why there is no text; the first three pass by themselves. */
export type AsrTrouble =
  | "full"
  | "unreachable"
  | "lost"
  | "key"
  | "refused"
  | "tooLarge"
  | "tooLong"
  | "empty"
  | "gone"
  | "unreadable"
  | "settings"
  | "failed"
  | "cancelled";

export class AsrFault extends Error {
  constructor(
    readonly kind: AsrTrouble,
    message = "",
  ) {
    super(message);
  }
}

interface Refusal {
  code?: string;
  message?: string;
}

const BY_CODE: Record<string, AsrTrouble> = {
  invalid_file: "unreadable",
  message_too_big: "tooLarge",
  overloaded: "full",
  shutting_down: "full",
  recogniser_failed: "failed",
  internal: "failed",
};
const BY_STATUS: Record<number, AsrTrouble> = {
  401: "key",
  403: "refused",
  413: "tooLarge",
  415: "unreadable",
  400: "settings",
  502: "full",
  503: "full",
  504: "full",
};

function faultOf(refusal: Refusal | undefined, status: number): AsrFault {
  return new AsrFault(BY_CODE[refusal?.code ?? ""] ?? BY_STATUS[status] ?? "failed", refusal?.message);
}

/** Length of the recording in seconds, once all of it has been told. Throws AsrFault; `lost` where the connection broke. */
export function transcribe(
  sound: Blob,
  name: string,
  wishes: Wishes,
  key: string,
  tell: AsrListener,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much has gone up
    const events = new Events(tell, resolve, reject);
    request.open("POST", address("/asr"));
    for (const [header, value] of Object.entries(authorization(key))) request.setRequestHeader(header, value);
    request.upload.onprogress = (event) => tell.sent(event.loaded);
    request.onprogress = () => request.status === 200 && events.read(request.responseText);
    request.onload = () => {
      if (request.status === 200) events.read(request.responseText);
      else reject(faultOf(parsed(request.responseText), request.status));
    };
    request.onloadend = () => reject(new AsrFault("lost")); // unless it has been settled
    request.onabort = () => reject(new AsrFault("cancelled"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    if (signal.aborted) reject(new AsrFault("cancelled"));
    else request.send(form(sound, name, wishes));
  });
}

function parsed(text: string): Refusal | undefined {
  try {
    return (JSON.parse(text) as { error?: Refusal }).error;
  } catch {
    return undefined; // from something between us and the server
  }
}

function form(sound: Blob, name: string, { language, hotwords, hotword_lists, endpointing, text }: Wishes): FormData {
  const made = new FormData();
  made.set("stream", "true");
  if (language?.length) made.set("language", [language].flat().join(","));
  if (hotwords.length) made.set("hotwords", JSON.stringify(hotwords));
  for (const list of hotword_lists) made.append("hotword_lists", list);
  made.set("endpointing", JSON.stringify(endpointing));
  made.set("text", JSON.stringify(text));
  made.set("file", sound, name);
  return made;
}

/** Server-sent events, read as their text grows. */
class Events {
  private at = 0;

  constructor(
    private readonly tell: AsrListener,
    private readonly done: (duration: number) => void,
    private readonly fail: (fault: AsrFault) => void,
  ) {}

  read(text: string): void {
    for (let end; (end = text.indexOf("\n\n", this.at)) >= 0; this.at = end + 2) this.take(text.slice(this.at, end));
  }

  private take(event: string): void {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? [];
    if (!data) return;
    const content: unknown = JSON.parse(data);
    if (name === "progress") this.tell.progress(content as Progress);
    else if (name === "final") this.tell.final(content as Final);
    else if (name === "error") this.fail(faultOf((content as { error: Refusal }).error, 500));
    else if (name === "done") this.done((content as { duration: number }).duration);
  }
}
