// Against a real server: STENOLINE_URL, and for refusals STENOLINE_LOCKED_URL, which wants a key; STENOLINE_SOUND is raw sound
// (s16le, mono, 16 kHz) in which STENOLINE_TEXT is said.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { AddressInfo, Server, Socket, connect, createServer } from "node:net";
import { TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Settings, Stream } from "./stream";

const { STENOLINE_URL = "", STENOLINE_LOCKED_URL = "", STENOLINE_SOUND = "", STENOLINE_TEXT = "" } = process.env;
const NOWHERE = "ws://127.0.0.1:9"; // the discard port: nobody listens
const BLOCK = 3_200; // a tenth of a second
const BLOCK_MS = 25; // four times the pace of speech
const ALLOWED = 0.15; // word errors; a sentence that is lost or comes twice is a third of them
const sound = STENOLINE_SOUND ? readFileSync(STENOLINE_SOUND) : Buffer.alloc(BLOCK);
const quick = { waitsMs: [20, 50, 100, 200, 400], beatMs: 10_000 };

/** A stream and what it told. */
function dictation(settings: Partial<Settings>, times = quick, happened = (_: string) => {}) {
  const told = { partials: [] as string[], finals: [] as string[], warnings: [] as string[], order: [] as string[] };
  let stream!: Stream;
  const ended = new Promise<string | undefined>((resolve) => {
    const listener = {
      listening: () => void told.order.push("listening"),
      partial: (stable: string, unstable: string) => {
        told.order.push("partial");
        told.partials.push(stable + unstable);
        happened("partial");
      },
      final: (text: string) => {
        told.order.push("final");
        told.finals.push(text);
        happened("final");
      },
      warning: (message: string) => void told.warnings.push(message),
      ended: resolve,
    };
    stream = new Stream({ url: STENOLINE_URL, language: "en", ...settings }, listener, times);
  });
  return { stream, told, ended };
}

async function speak(stream: Stream, from = 0, until = sound.length, blockMs = BLOCK_MS): Promise<void> {
  for (let at = from; at < until; at += BLOCK) {
    stream.hear(sound.subarray(at, Math.min(at + BLOCK, until)));
    await sleep(blockMs);
  }
}

const words = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}\s']/gu, " ").split(/\s+/).filter(Boolean);

/** Share of words that are wrong (Levenshtein). */
function errorRate(said: string[], heard: string[]): number {
  let row = heard.map((_, j) => j + 1);
  said.forEach((word, i) => {
    let corner = i;
    let left = i + 1;
    row = heard.map((other, j) => {
      left = Math.min(corner + Number(word !== other), left + 1, row[j] + 1);
      corner = row[j];
      return left;
    });
  });
  return (row.at(-1) ?? said.length) / said.length;
}

function assertHeard(finals: string[], text = STENOLINE_TEXT): void {
  const rate = errorRate(words(text), words(finals.join("")));
  assert.ok(rate <= ALLOWED, `word errors: ${rate}: ${finals.join("")}`);
}

/** A network between client and server that can be cut, stalled, and taken away for a while. */
class Network {
  private links = new Set<Socket>();
  private server: Server = createServer((near) => this.link(near));
  private port = 0;
  connections = 0;

  /** It ends with the test, however that ends: what is open keeps Node alive. */
  constructor(context: TestContext) {
    context.after(() => this.close());
  }

  async open(): Promise<string> {
    await new Promise<void>((done) => this.server.listen(this.port, "127.0.0.1", done));
    this.port = (this.server.address() as AddressInfo).port;
    return STENOLINE_URL.replace(/:\d+/, `:${this.port}`);
  }

  private link(near: Socket): void {
    const far = connect(Number(new URL(STENOLINE_URL).port), "127.0.0.1");
    this.connections++;
    for (const [from, to] of [[near, far], [far, near]]) {
      this.links.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  }

  cut(): void {
    for (const link of this.links) link.destroy();
    this.links.clear();
  }

  /** Nothing goes through any more, and nobody is told. */
  stall(): void {
    for (const link of this.links) link.unpipe().pause();
  }

  close(): Promise<void> {
    if (!this.server.listening) return Promise.resolve();
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    this.cut();
    return closed;
  }
}

test("a talk is heard, partials first", async () => {
  const { stream, told, ended } = dictation({});
  await speak(stream);
  stream.stop();
  assert.equal(await ended, undefined);
  assertHeard(told.finals);
  assert.deepEqual(told.warnings, []);
  assert.ok(told.order.indexOf("partial") > 0 && told.order.indexOf("partial") < told.order.indexOf("final"));
});

test("sound that came before the server was reached is heard", async () => {
  const { stream, told, ended } = dictation({});
  for (let at = 0; at < sound.length; at += 65_536) stream.hear(sound.subarray(at, at + 65_536));
  stream.stop();
  assert.equal(await ended, undefined);
  assertHeard(told.finals);
});

test("a connection that is cut in each utterance costs no word, and none comes twice", async (context) => {
  const network = new Network(context);
  let isCut = false;
  let cuts = 0;
  const { stream, told, ended } = dictation({ url: await network.open() }, quick, (event) => {
    if (event === "partial" && !isCut) {
      cuts++;
      network.cut();
    }
    isCut = event === "partial";
  });
  for (let time = 0; time < 2; time++) await speak(stream, 0, sound.length, 2 * BLOCK_MS); // a slow server has partials, too
  stream.stop();
  assert.equal(await ended, undefined);
  assert.ok(cuts >= 3 && network.connections === cuts + 1, `${cuts} cuts, ${network.connections} connections`);
  assertHeard(told.finals, `${STENOLINE_TEXT} ${STENOLINE_TEXT}`);
});

test("a server that is away for a while costs no word", async (context) => {
  const network = new Network(context);
  const { stream, told, ended } = dictation({ url: await network.open() });
  const middle = BLOCK * Math.round(sound.length / BLOCK / 2);
  await speak(stream, 0, middle);
  await network.close();
  await speak(stream, middle, middle + 4 * BLOCK);
  await network.open();
  await speak(stream, middle + 4 * BLOCK);
  stream.stop();
  assert.equal(await ended, undefined);
  assertHeard(told.finals);
});

test("a connection that went silent is given up and made anew", async (context) => {
  const network = new Network(context);
  const { stream, told, ended } = dictation({ url: await network.open() }, { ...quick, beatMs: 600 });
  const middle = BLOCK * Math.round(sound.length / BLOCK / 2);
  await speak(stream, 0, middle);
  network.stall();
  await speak(stream, middle);
  stream.stop();
  assert.equal(await ended, undefined);
  assert.ok(network.connections >= 2);
  assertHeard(told.finals);
});

test("without a server it says so after some tries", async () => {
  const { stream, ended, told } = dictation({ url: NOWHERE });
  stream.hear(sound.subarray(0, BLOCK));
  assert.match((await ended) ?? "", /ws:\/\/127\.0\.0\.1:9: .*ECONNREFUSED/);
  assert.deepEqual(told.order, []);
});

test("without a server for long the oldest sound is dropped, and that is said once", async () => {
  const { stream, ended, told } = dictation({ url: NOWHERE });
  for (let second = 0; second < 100; second++) stream.hear(Buffer.alloc(10 * BLOCK));
  await ended;
  assert.equal(told.warnings.length, 1);
  assert.match(told.warnings[0], /oldest sound was dropped/);
});

test("a refused key is said at once, a right one is taken", async () => {
  const wrong = dictation({ url: STENOLINE_LOCKED_URL, key: "wrong" }, { ...quick, waitsMs: [1e9] });
  assert.match((await wrong.ended) ?? "", /401: a valid API key/);
  const right = dictation({ url: STENOLINE_LOCKED_URL, key: "right" });
  right.stream.stop();
  assert.equal(await right.ended, undefined);
});

test("settings that the server does not take are said", async () => {
  assert.match((await dictation({ hotwordLists: ["cooking"] }).ended) ?? "", /cooking/);
  assert.match((await dictation({ url: "nowhere" }).ended) ?? "", /nowhere/);
});

test("hotwords of all kinds are taken", async () => {
  const { stream, told, ended } = dictation({ hotwords: ["LoRA", "naïve_café"], hotwordLists: ["software"] });
  stream.stop();
  assert.equal(await ended, undefined);
  assert.deepEqual(told.order, ["listening"]);
});
