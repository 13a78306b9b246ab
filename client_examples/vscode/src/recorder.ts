// The microphone, by a program that writes raw sound (s16le, mono, 16 kHz) to its standard output.
import { ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const FFMPEG = ["ffmpeg", "-loglevel", "error"];
const RAW = ["-ac", "1", "-ar", "16000", "-f", "s16le", "-"];
const KNOWN = {
  linux: [
    ["arecord", "-q", "-t", "raw", "-f", "S16_LE", "-r", "16000", "-c", "1"],
    ["parecord", "--raw", "--format=s16le", "--rate=16000", "--channels=1", "--latency-msec=50"],
    ["rec", "-q", "-t", "raw", "-b", "16", "-e", "signed-integer", "-r", "16000", "-c", "1", "-"],
    [...FFMPEG, "-f", "pulse", "-i", "default", ...RAW],
  ],
  darwin: [
    ["rec", "-q", "-t", "raw", "-b", "16", "-e", "signed-integer", "-r", "16000", "-c", "1", "-"],
    [...FFMPEG, "-f", "avfoundation", "-i", ":default", ...RAW],
  ],
} as Record<string, string[][]>; // on Windows microphones have to be named: there is no command that fits all

function isThere(program: string): boolean {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The given command, otherwise the first known one that is installed. Throws if there is none. */
export function command(given: string[]): string[] {
  if (given.length) return given;
  const found = (KNOWN[process.platform] ?? []).find(([program]) => isThere(program));
  if (!found) throw Error("No recorder was found: install SoX, ffmpeg or (on Linux) alsa-utils, or set stenoline.recorder.");
  return found;
}

/** Runs until `kill`; `ended` comes once, after the last sound, with a reason if the program failed. */
export function record(command: string[], hear: (sound: Buffer) => void, ended: (reason?: string) => void): ChildProcess {
  const [program, ...rest] = command;
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
  let complaint = "";
  child.stdout.on("data", hear);
  child.stderr.on("data", (text) => (complaint = (complaint + text).slice(-500)));
  child.on("error", (error) => (complaint = error.message));
  child.on("close", (code) => {
    const reason = `Recorder ${program} failed: ${complaint.trim().split("\n").pop()}`;
    ended(code && !child.killed ? reason : undefined);
  });
  return child;
}
