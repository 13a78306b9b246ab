// A dictation over /v1/stream that outlives its connection: sound is kept until a final covers it, and sent again if need be.
import { IncomingMessage } from "node:http";
import WebSocket from "ws";

export interface Settings {
  url: string;
  key?: string;
  language?: string;
  hotwords?: string[];
  hotwordLists?: string[];
}

export interface Word {
  text: string; // with its leading space, in scripts that have spaces
}

/** What a stream tells. `ended` comes once and last; without a reason it ended in order. */
export interface Listener {
  listening(): unknown;
  partial(stable: string, unstable: string): void;
  final(text: string): void;
  warning(message: string): void;
  ended(reason?: string): void;
}

export const BYTES_PER_SECOND = 2 * 16_000;
const PIECE = BYTES_PER_SECOND / 10;
const KEPT = 90 * BYTES_PER_SECOND; // more than the longest utterance (60 s); beyond that the oldest sound is dropped
const TIMES = {
  waitsMs: [250, 500, 1_000, 2_000, 4_000, 8_000], // before each try to connect again
  beatMs: 10_000, // a connection that does not answer for so long is given up
};

export const join = (words: Word[]) => words.map((word) => word.text).join("");

export class Stream {
  private socket?: WebSocket;
  private timer?: NodeJS.Timeout;
  private pieces: Buffer[] = []; // sound that no final covers yet
  private from = 0; // bytes of this connection's sound before the first of them
  private sent = 0; // how many of them this connection has sent
  private tries = 0;
  private isReady = false;
  private isDropping = false;
  private isSending = false;
  private isStopping = false;
  private isOver = false;

  constructor(
    private settings: Settings,
    private listener: Listener,
    private times = TIMES,
  ) {
    this.connect();
  }

  /** Sound as it comes: s16le, mono, 16 kHz. */
  hear(sound: Buffer): void {
    for (let at = 0; at < sound.length; at += PIECE) this.pieces.push(sound.subarray(at, at + PIECE));
    this.forget(this.from + this.length - KEPT);
    void this.send();
  }

  /** No more sound: what came is finished. */
  stop(): void {
    this.isStopping = true;
    void this.send();
  }

  /** At once; sound without a final is given up. */
  end(reason?: string): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.listener.ended(reason);
  }

  private get length(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0);
  }

  /** Drops pieces that end at this byte of the connection's sound or before. */
  private forget(until: number): void {
    while (this.pieces.length && this.from + this.pieces[0].length <= until) {
      if (this.sent) this.from += this.pieces[0].length;
      else this.warnOfDropping();
      this.pieces.shift();
      this.sent = Math.max(0, this.sent - 1);
    }
  }

  private warnOfDropping(): void {
    if (!this.isDropping) this.listener.warning("The server has not been reached for long: the oldest sound was dropped.");
    this.isDropping = true;
  }

  /** A new session: its clock begins with the first sound that no final covers. */
  private connect(): void {
    const { url, key } = this.settings;
    let socket: WebSocket;
    try {
      socket = new WebSocket(url, { headers: key ? { authorization: `Bearer ${key}` } : {}, handshakeTimeout: 10_000 });
    } catch (error) {
      setImmediate(() => this.end(`${url}: ${(error as Error).message}`)); // an address that is none
      return;
    }
    Object.assign(this, { socket, from: 0, sent: 0, isReady: false, isDropping: false });
    let fault = "the connection was lost";
    socket.on("open", () => {
      socket.send(JSON.stringify(this.start()));
      this.watch(socket);
    });
    socket.on("message", (message) => !this.isOver && socket === this.socket && this.take(JSON.parse(message.toString())));
    socket.on("unexpected-response", (_, response) => void this.refused(response));
    socket.on("error", (error) => (fault = error.message || (error as NodeJS.ErrnoException).code || fault));
    socket.on("close", () => socket === this.socket && this.again(fault));
  }

  /** A network that went away without a word is noticed by its silence. */
  private watch(socket: WebSocket): void {
    let isAlive = true;
    const beat = setInterval(() => {
      if (!isAlive) return socket.terminate();
      isAlive = false;
      socket.ping();
    }, this.times.beatMs);
    socket.on("pong", () => (isAlive = true));
    socket.on("close", () => clearInterval(beat));
  }

  private start() {
    const { language, hotwords = [], hotwordLists = [] } = this.settings;
    return { type: "start", language: language || null, hotwords, hotword_lists: hotwordLists };
  }

  private again(fault: string): void {
    if (this.isOver) return;
    this.isReady = false;
    if (this.tries === this.times.waitsMs.length) return this.end(`${this.settings.url}: ${fault}`);
    this.timer = setTimeout(() => this.connect(), this.times.waitsMs[this.tries++]);
  }

  /** Busy or stopping: try again. Otherwise it would refuse again. */
  private async refused(response: IncomingMessage): Promise<void> {
    const body = Buffer.concat(await response.toArray()).toString();
    const message = /"message": *"((?:[^"\\]|\\.)*)"/.exec(body)?.[1] ?? response.statusMessage;
    const reason = `${response.statusCode}: ${message}`;
    if (response.statusCode === 503) this.again(reason);
    else this.end(`${this.settings.url}: ${reason}`);
  }

  private take(event: any): void {
    switch (event.type) {
      case "ready":
        this.isReady = true;
        this.tries = 0;
        this.listener.listening();
        return void this.send();
      case "partial":
        return this.listener.partial(join(event.stable), join(event.unstable));
      case "final":
        this.forget(Math.floor(event.end * 16_000) * 2);
        return this.listener.final(join(event.words));
      case "warning":
        return this.listener.warning(event.message);
      case "error": // before it is ready: settings that it will not take
        return this.isReady ? this.listener.warning(event.message) : this.end(event.message);
      case "closed":
        if (this.isStopping && event.code === 1000) this.end();
    }
  }

  /** One piece after the other, so that a slow network holds back only what is kept here, within its bound. */
  private async send(): Promise<void> {
    const socket = this.socket;
    if (this.isSending || !this.isReady || !socket) return;
    this.isSending = true;
    while (this.sent < this.pieces.length && this.isReady && socket === this.socket) {
      await new Promise((done) => socket.send(this.pieces[this.sent++], done));
    }
    this.isSending = false;
    if (this.isReady && socket !== this.socket) return this.send(); // connected anew meanwhile
    if (this.isStopping && this.isReady) socket.send(JSON.stringify({ type: "stop" }));
  }
}
