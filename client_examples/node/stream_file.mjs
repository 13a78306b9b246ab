#!/usr/bin/env node
// Stream a WAV file, or raw sound from standard input, to Stenoline and print what it hears.
//
// npm install && node stream_file.mjs talk.wav
// arecord -q -t raw -f S16_LE -r 16000 | node stream_file.mjs -
import { open } from "node:fs/promises";
import { parseArgs } from "node:util";
import WebSocket from "ws";

const HELP = `usage: node stream_file.mjs [options] FILE

Stream a WAV file (8 to 48 kHz; 16- or 32-bit PCM, 32-bit float, A-law, mu-law), or with - raw sound from standard input
(s16le), to Stenoline and print what it hears. Ctrl-C ends the sound and waits for the last words.

  --url URL        default: ws://127.0.0.1:8000/v1/stream
  --key KEY        API key (default: STENOLINE_API_KEY)
  --language CODE  such as en (default: found from the sound)
  --speed N        times the pace of speech (default: 1)
  --rate HZ        of raw sound (default: 16000)
  --channels N     of raw sound (default: 1)
  --help`;

const OPTIONS = {
  url: { type: "string", default: "ws://127.0.0.1:8000/v1/stream" },
  key: { type: "string", default: process.env.STENOLINE_API_KEY ?? "" },
  language: { type: "string", default: "" },
  speed: { type: "string", default: "1" },
  rate: { type: "string", default: "16000" },
  channels: { type: "string", default: "1" },
  help: { type: "boolean" },
};
const BLOCK_S = 0.1;
const FORMATS = { "1/16": "s16le", "1/32": "s32le", "3/32": "f32le", "6/8": "alaw", "7/8": "mulaw" }; // WAV's tag and bits
const WIDTHS = { s16le: 2, s32le: 4, f32le: 4, alaw: 1, mulaw: 1 };
const EXTENSIBLE = 0xfffe;

/** What the sound is, and a stream of its bytes. */
async function sound(options, name) {
  if (name !== "-") return wav(await open(name), name);
  return { format: "s16le", rate: number(options, "rate"), channels: number(options, "channels"), stream: process.stdin };
}

/** Walks the chunks of a WAV file, in whatever order they come, and leaves the samples to a stream. */
async function wav(file, name) {
  const read = async (length, at) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
    return buffer.subarray(0, bytesRead);
  };
  const head = (await read(12, 0)).toString("latin1");
  if (!head.startsWith("RIFF") || head.slice(8) !== "WAVE") throw Error(`${name} is not a WAV file (no RIFF/WAVE at its start)`);
  const { size: end } = await file.stat();
  let form, data;
  for (let at = 12; at + 8 <= end; ) {
    const chunk = await read(8, at);
    const [id, size, from] = [chunk.toString("latin1", 0, 4), chunk.readUInt32LE(4), at + 8];
    if (id === "fmt ") form = await read(Math.min(size, 40), from);
    // Programs that write to a pipe do not know the size: they leave 0 or the largest number there.
    if (id === "data") data = { start: from, end: Math.min(from + (size || end), end) - 1 };
    at = from + (id === "data" && !size ? end : size + (size % 2));
  }
  if (!data || !form || form.length < 16) throw Error(`${name} has no whole ${data ? '"fmt "' : '"data"'} chunk`);
  const extended = form.readUInt16LE(0) === EXTENSIBLE && form.length >= 26;
  const [tag, bits] = [form.readUInt16LE(extended ? 24 : 0), form.readUInt16LE(14)];
  const format = FORMATS[`${tag}/${bits}`];
  if (!format) throw Error(`${name} is of WAV format ${tag}, ${bits} bits; expected PCM (16, 32 bits), float (32), A-law, mu-law`);
  const stream = data.end < data.start ? [] : file.createReadStream(data);
  return { format, rate: form.readUInt32LE(4), channels: form.readUInt16LE(2), stream };
}

/** Blocks of a tenth of a second, whatever the pieces of the stream. */
async function* blocks(stream, size) {
  let rest = Buffer.alloc(0);
  for await (const piece of stream) {
    rest = rest.length ? Buffer.concat([rest, piece]) : piece;
    for (; rest.length >= size; rest = rest.subarray(size)) yield rest.subarray(0, size);
  }
  if (rest.length) yield rest;
}

/** At the pace of speech, or `speed` times as fast; a slow network is waited for. */
async function send(socket, from, speed, isEnded) {
  const began = performance.now();
  const width = from.channels * WIDTHS[from.format];
  let sent = 0; // seconds
  for await (const block of blocks(from.stream, Math.ceil(from.rate * BLOCK_S) * width)) {
    if (isEnded() || socket.readyState !== WebSocket.OPEN) break;
    await new Promise((done) => socket.send(block, done));
    sent += block.length / width / from.rate;
    await new Promise((done) => setTimeout(done, began + (1000 * sent) / speed - performance.now()));
  }
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "stop" }));
}

/** Until the server closes; throws what went wrong. */
function converse(options, from) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(options.url, { headers: options.key ? { authorization: `Bearer ${options.key}` } : {} });
    const start = { type: "start", format: from.format, sample_rate: from.rate, channels: from.channels };
    let ready, closed, interrupted;
    process.once("SIGINT", () => (ready ? (interrupted = true) : process.exit(130))); // a second one kills
    socket.on("open", () => socket.send(JSON.stringify({ ...start, language: options.language || null })));
    socket.on("message", (message) => {
      const event = JSON.parse(message);
      if (event.type === "ready" && !ready) {
        ready = true;
        send(socket, from, number(options, "speed"), () => interrupted).catch(reject);
      } else if (!ready) reject(Error(event.message ?? "no /v1/stream is there")); // it will not start
      else if (event.type === "closed") closed = event;
      else show(event);
    });
    socket.on("unexpected-response", (_, response) => refused(response).then((why) => reject(Error(why))));
    socket.on("error", (error) => reject(Error(error.message || error.code))); // of several addresses: an error without message
    socket.on("close", (code) => {
      if (closed?.code === 1000) resolve();
      else reject(Error(closed?.reason ?? `the connection was lost (code ${code})`));
    });
  });
}

/** What the server says when it refuses the connection. */
async function refused(response) {
  const body = Buffer.concat(await response.toArray()).toString();
  try {
    return `${response.statusCode}: ${JSON.parse(body).error.message}`;
  } catch {
    return `${response.statusCode} ${response.statusMessage}`;
  }
}

function show(event) {
  const { type, text, start } = event;
  if (["partial", "final"].includes(type) && text) console.log(`${type.padEnd(8)}${start.toFixed(2).padStart(7)}  ${text}`);
  else if (["error", "warning"].includes(type)) console.error(`${type}: ${event.message}`);
}

function number(options, name) {
  const value = Number(options[name]);
  if (!(value > 0 && value < Infinity)) throw Error(`--${name} is ${options[name]}, expected a number above 0`);
  return value;
}

process.stdout.on("error", () => process.exit(0)); // whoever read it has gone
try {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help) console.log(HELP);
  else if (positionals.length !== 1) throw Error("expected one FILE, or - for standard input; --help lists the options");
  else {
    number(values, "speed");
    await converse(values, await sound(values, positionals[0]));
  }
  process.stdout.write("", () => process.exit(0)); // once all is written; an open standard input does not hold it
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}
