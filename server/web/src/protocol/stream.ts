/** A live session that outlives its connections: what no final covers is sent again over the next one. */

import type { Tape } from "../audio/tape";
import type { Fault, Final, Message, Partial, Wishes, Word } from "./messages";
import { past } from "./room";
import { address, credentials, reason, waitMs, type Reason } from "./server";

export type Status =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "waiting"; why: Reason | "offline"; until: number } // ms, as Date.now() counts
  | { kind: "refused"; why: "key" | "refused" }
  | { kind: "ended" };

/** Where to connect, and with what; asked anew for each connection. */
export interface Place {
  path: string;
  key: string;
  /** The room that hears it, if one does. */
  room?: string;
}

/** A connection, as the server names it. */
export interface Session {
  id: string;
  shift: number; // s from its clock to the recording's
}

/** What a session tells; times are of the whole recording. */
export interface Listener {
  status(status: Status): void;
  partial(partial: Partial | null): void;
  final(final: Final): void;
  fault(fault: Fault): void;
  viewers(count: number): void;
  session(session: Session): void;
}

const MOST_BUFFERED = 256_000; // bytes that the browser may hold unsent
const MOST_SENT = 16_000; // samples a message
const PUMP_MS = 50;
const STEADY_MS = 5_000; // a connection that has lasted this long begins the waits anew
const QUIET_MS = 15_000; // nothing has come for so long: nobody said anything, or the connection is gone and nobody says so
const EXPECTED = ["unfinished_sample", "session_expires", "session_expired", "idle_timeout", "shutting_down"]; // another connection mends them

export class Stream {
  private socket: WebSocket | null = null;
  private base = 0; // sample of the recording at which this connection's clock began
  private sent = 0; // next sample to send
  private isReady = false; // for sound
  private hasBegun = false; // the server has taken the wishes
  private refusals = 0; // of wishes
  private heardAt = 0; // ms, as performance.now() counts: when the server last told something
  private isStopping = false;
  private isEnded = false;
  private isFinished = false; // the server has written down all of it
  private tries = 0;
  private timer = 0;
  private pumping = 0;

  constructor(
    private readonly tape: Tape,
    private readonly place: () => Place,
    private readonly wishes: () => Wishes,
    private readonly tell: Listener,
    /** Sample up to which finals have come. */
    public covered = tape.start,
    /** The last one of this recording. */
    private session: Session = { id: "", shift: 0 },
  ) {
    addEventListener("online", this.hurry);
    addEventListener("offline", this.lose);
    this.pumping = window.setInterval(() => (this.watch(), this.pump()), PUMP_MS);
    this.connect();
  }

  /** No more sound will come; ends when all that came has been written down. */
  stop(): void {
    this.isStopping = true;
    this.pump();
  }

  /** Go, whatever is still being written. */
  abandon(): void {
    this.end({ kind: "ended" });
  }

  /** There may be sound that nobody has written down. */
  get hasRest(): boolean {
    return !this.isFinished;
  }

  /** Other hotwords, from now on. */
  configure(): void {
    const { hotwords, hotword_lists } = this.wishes();
    if (this.isReady) this.say({ type: "configure", hotwords, hotword_lists });
  }

  /** Another place (see `Place`): over a new connection, and nothing is lost. */
  move(): void {
    this.tries = 0;
    this.connect();
  }

  /** Instead of whatever connection there is, or is to be. */
  private connect(): void {
    this.drop();
    this.tell.status({ kind: "connecting" });
    const { path, key, room } = this.place();
    const socket = new WebSocket(address(path, "ws"), credentials(key));
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    let opened = 0;
    this.hasBegun = false;
    this.refusals = 0;
    this.heardAt = performance.now();
    socket.onopen = () => {
      opened = Date.now();
      void this.recall(room).then(() => this.socket === socket && this.begin());
    };
    socket.onmessage = (event) => this.hear(JSON.parse(event.data as string) as Message);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      if (opened && Date.now() - opened > STEADY_MS) this.tries = 0;
      void this.wait(key, opened > 0);
    };
  }

  private begin(wishes: globalThis.Partial<Wishes> = this.wishes()): void {
    const first = this.tape.read(this.covered, 1);
    this.base = this.sent = first ? first.at : this.tape.end;
    this.session = { id: "", shift: this.base / this.tape.rate };
    this.say({ type: "start", format: "s16le", sample_rate: this.tape.rate, ...wishes });
  }

  private hear(message: Message): void {
    this.heardAt = performance.now();
    switch (message.type) {
      case "ready":
        this.isReady = this.hasBegun = true;
        this.session = { ...this.session, id: message.session };
        this.tell.session(this.session);
        this.tell.status({ kind: "live" });
        this.pump();
        break;
      case "partial":
        this.tell.partial({ ...message, ...this.moved(message), stable: this.words(message.stable), unstable: this.words(message.unstable) });
        break;
      case "final":
        // Half a sentence perhaps: heard again as a whole, unless a room has been told.
        if (message.reason !== "shutting_down" || this.place().room) this.take(message);
        break;
      case "viewers":
        this.tell.viewers(message.viewers);
        break;
      case "warning":
        this.warn({ ...message, type: "error", fatal: false });
        break;
      case "error":
        if (message.code === "overloaded") return this.socket?.close(); // sound was not taken: over a new connection
        this.warn(message);
        if (!this.hasBegun && !message.fatal) this.humble();
        break;
      case "closed":
        this.isFinished = message.code === 1000 && this.isStopping;
        if (this.isFinished) this.end({ kind: "ended" });
        break;
    }
  }

  private warn(fault: Fault): void {
    if (!EXPECTED.includes(fault.code)) this.tell.fault(fault);
  }

  /** A session that is not granted all its wishes is better than none. */
  private humble(): void {
    const fewer = [{ ...this.wishes(), language: null, hotwords: [], hotword_lists: [] }, {}][this.refusals++];
    if (fewer) this.begin(fewer);
  }

  /** A room has been told the last words of a connection that broke; it is not to hear them twice. */
  private async recall(room?: string): Promise<void> {
    if (!room || !this.session.id) return;
    for (const final of (await past(room)).filter((each) => each.session === this.session.id)) {
      const end = final.words.at(-1)!.end + this.session.shift; // of a segment that was kept, no other end is known
      if (end * this.tape.rate > this.covered + 1) this.take(final);
    }
  }

  private take(heard: Final): void {
    const final = { ...heard, ...this.moved(heard), words: this.words(heard.words) };
    this.covered = Math.max(this.covered, Math.round(final.end * this.tape.rate));
    this.tape.forget(this.covered);
    this.tell.partial(null);
    if (final.words.length) this.tell.final(final);
  }

  private moved({ start, end }: { start: number; end: number }): { start: number; end: number } {
    return { start: start + this.session.shift, end: end + this.session.shift };
  }

  private words(words: Word[]): Word[] {
    return words.map((word) => ({ ...word, ...this.moved(word) }));
  }

  /** Sends as much as the network takes; the tape keeps the rest. Called with each piece of sound, and now and then. */
  pump = (): void => {
    const socket = this.socket;
    if (!this.isReady || !socket || socket.readyState !== WebSocket.OPEN) return;
    while (socket.bufferedAmount < MOST_BUFFERED) {
      const piece = this.tape.read(this.sent, MOST_SENT);
      if (!piece) break;
      socket.send(piece.samples as Int16Array<ArrayBuffer>);
      this.sent = piece.at + piece.samples.length;
    }
    if (this.isStopping && this.sent >= this.tape.end) {
      this.isReady = false; // nothing more to send
      this.say({ type: "stop" });
    }
  };

  /** A server or network that is gone without a word would not be missed for minutes. */
  private watch(): void {
    if (!this.socket || performance.now() - this.heardAt < QUIET_MS) return;
    this.heardAt = performance.now();
    if (this.hasBegun) void this.lose();
    else void this.wait(this.place().key, true); // a handshake that nobody answers
  }

  private say(content: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(content));
  }

  /** For the next try, unless there is no point in one. */
  private async wait(key: string, wasOpen: boolean): Promise<void> {
    this.drop();
    if (this.isEnded) return;
    const why = navigator.onLine ? await reason(key) : "offline";
    if (this.isEnded || this.socket) return;
    clearTimeout(this.timer); // of another that waited at the same time
    if (!wasOpen && (why === "key" || why === "refused")) return this.end({ kind: "refused", why });
    const ms = waitMs(this.tries++);
    this.tell.status({ kind: "waiting", why: why === "key" || why === "refused" ? "lost" : why, until: Date.now() + ms });
    this.timer = window.setTimeout(() => this.connect(), ms);
  }

  private drop(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    this.isReady = false;
    if (socket) {
      socket.onclose = socket.onmessage = socket.onopen = null;
      socket.close();
    }
  }

  private hurry = (): void => {
    if (this.isEnded || this.socket?.readyState === WebSocket.OPEN) return;
    this.move();
  };

  /** There may be no network: no use in waiting for time-outs, unless the server answers, on this machine perhaps. */
  private lose = async (): Promise<void> => {
    const [{ key }, socket] = [this.place(), this.socket];
    const why = await reason(key);
    if (why === "unreachable" && !this.isEnded && this.socket === socket) void this.wait(key, true);
  };

  private end(status: Status): void {
    if (this.isEnded) return;
    this.isEnded = true;
    clearInterval(this.pumping);
    removeEventListener("online", this.hurry);
    removeEventListener("offline", this.lose);
    this.drop();
    this.tell.partial(null);
    this.tell.status(status);
  }
}
