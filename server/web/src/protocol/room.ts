/** A room that is watched: it is come back to until the page goes, and each final is told once. */

import type { Fault, Final, Partial } from "./messages";
import { address, credentials, info, waitMs } from "./server";

export type RoomFinal = Final & { session: string; at: number }; // Unix time, s
export type RoomPartial = Partial & { session: string };

export type Watching =
  | { kind: "connecting" }
  | { kind: "watching" }
  | { kind: "waiting"; why: "lost" | "unreachable" | "offline" | "restarting" | "full" }
  | { kind: "refused"; why: "name" | "key" | "off" };

type RoomMessage =
  | { type: "room"; live: boolean; viewers: number; history: RoomFinal[]; partial: RoomPartial | null }
  | { type: "speaker"; live: boolean }
  | { type: "viewers"; viewers: number }
  | RoomFinal
  | RoomPartial
  | Fault;

export interface Watcher {
  status(status: Watching): void;
  live(isLive: boolean): void;
  viewers(count: number): void;
  partial(partial: RoomPartial | null): void;
  finals(finals: RoomFinal[]): void;
}

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const SECRET = 16; // characters; shorter names can be guessed, so a server with keys wants one
const RESTARTS = 1012;
const STALE_MS = 20_000; // a page that was hidden for so long may have lost its connection without being told

export class Room {
  private socket: WebSocket | null = null;
  private isOver = false;
  private tries = 0;
  private timer = 0;
  private hiddenAt = 0;
  private told = new Set<string>();

  constructor(
    private readonly name: string,
    private readonly key: () => string,
    private readonly tell: Watcher,
  ) {
    if (!NAME.test(name)) {
      this.refuse("name");
      return;
    }
    addEventListener("online", this.again);
    addEventListener("offline", this.lose);
    document.addEventListener("visibilitychange", this.look);
    this.connect();
  }

  /** At once, over a new connection: the network or the key is another one. */
  again = (): void => {
    this.tries = 0;
    this.isOver = false;
    this.connect();
  };

  /** No use in waiting for time-outs, unless the server is on this machine. */
  private lose = (): void => {
    if (!this.isOver) void info().catch(() => this.wait(true, 0));
  };

  private look = (): void => {
    if (document.hidden) this.hiddenAt = Date.now();
    else if (!this.isOver && this.hiddenAt && Date.now() - this.hiddenAt > STALE_MS) this.again();
  };

  private connect(): void {
    this.drop();
    this.tell.status({ kind: "connecting" });
    const key = this.name.length < SECRET ? this.key() : "";
    const socket = new WebSocket(address(`/v1/captions/${this.name}`, "ws"), credentials(key));
    this.socket = socket;
    let wasOpen = false;
    socket.onopen = () => (wasOpen = true);
    socket.onmessage = (event) => this.hear(JSON.parse(event.data as string) as RoomMessage);
    socket.onclose = ({ code }) => {
      if (this.socket === socket) void this.wait(wasOpen, code);
    };
  }

  private hear(message: RoomMessage): void {
    switch (message.type) {
      case "room":
        this.tries = 0;
        this.tell.status({ kind: "watching" });
        this.tell.live(message.live);
        this.tell.viewers(message.viewers);
        this.take(message.history);
        this.tell.partial(message.partial);
        break;
      case "speaker":
        this.tell.live(message.live);
        if (!message.live) this.tell.partial(null);
        break;
      case "viewers":
        this.tell.viewers(message.viewers);
        break;
      case "partial":
        this.tell.partial(message);
        break;
      case "final":
        this.take([message]);
        this.tell.partial(null);
        break;
    }
  }

  /** The past comes again with each connection. */
  private take(finals: RoomFinal[]): void {
    const fresh = finals.filter((each) => !this.told.has(nameOf(each)));
    for (const each of fresh) this.told.add(nameOf(each));
    if (fresh.length) this.tell.finals(fresh);
  }

  private async wait(wasOpen: boolean, code: number): Promise<void> {
    this.drop();
    const why = code === RESTARTS ? "restarting" : await this.reason(wasOpen);
    if (this.isOver || this.socket) return;
    clearTimeout(this.timer); // of another that waited at the same time
    if (why === "key" || why === "off") return this.refuse(why);
    this.tell.status({ kind: "waiting", why });
    this.timer = window.setTimeout(() => this.connect(), waitMs(this.tries++));
  }

  /** Browsers do not tell why a handshake failed, so the server is asked the plain way. */
  private async reason(wasOpen: boolean): Promise<"key" | "off" | "lost" | "unreachable" | "offline" | "full"> {
    try {
      const server = await info();
      if (wasOpen) return "lost";
      if (!server.captions) return "off";
      return server.key_required && this.name.length < SECRET ? "key" : "full";
    } catch {
      return navigator.onLine ? "unreachable" : "offline";
    }
  }

  private refuse(why: "name" | "key" | "off"): void {
    this.isOver = true;
    this.tell.status({ kind: "refused", why });
  }

  private drop(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onclose = socket.onmessage = socket.onopen = null;
      socket.close();
    }
  }
}

const PATIENCE_MS = 3_000;

/** The finals that a room with a secret name remembers; none if it cannot be asked. */
export function past(name: string): Promise<RoomFinal[]> {
  const socket = new WebSocket(address(`/v1/captions/${name}`, "ws"));
  return new Promise<RoomFinal[]>((resolve) => {
    socket.onmessage = (event) => resolve((JSON.parse(event.data as string) as { history: RoomFinal[] }).history);
    socket.onclose = () => resolve([]);
    setTimeout(() => resolve([]), PATIENCE_MS);
  }).finally(() => socket.close());
}

const nameOf = ({ session, utterance }: RoomFinal) => `${session}/${utterance}`;
