/** The server that this page came from: where it is, what it can do, and why it does not let us in. */

export interface Info {
  version: string;
  model: string;
  languages: string[];
  key_required: boolean;
  captions: boolean;
  hotwords: { active: boolean; most: number; lists: string[] };
  recordings: { most_bytes: number; most_s: number };
}

/** Address of a call or, with a `ws` scheme, of a socket. */
export function address(path: string, scheme: "http" | "ws" = "http"): string {
  const url = new URL(path, location.origin);
  url.protocol = url.protocol.replace("http", scheme);
  return url.href;
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/; // what a subprotocol may consist of; browsers throw at anything else, and at one twice

/** The subprotocols that carry a key: browsers cannot set headers of a handshake. One that they cannot say is said wrong, and refused. */
export function credentials(key: string): string[] {
  return key ? ["bearer", TOKEN.test(key) && key !== "bearer" ? key : "unspeakable"] : [];
}

export function authorization(key: string): Record<string, string> {
  return key ? { authorization: `Bearer ${key}` } : {};
}

const WAITS_MS = [250, 500, 1_000, 2_000, 4_000, 8_000];

/** Before the next try, after so many in vain; not all clients at the same time. */
export function waitMs(tries: number): number {
  return WAITS_MS[Math.min(tries, WAITS_MS.length - 1)]! * (0.75 + Math.random() / 2);
}

const PATIENCE_MS = 8_000; // a network that swallows everything answers nothing, ever

function call(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(address(path), { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
}

/** Throws when the server cannot be reached. */
export async function info(): Promise<Info> {
  const answer = await call("/v1/info");
  return (await answer.json()) as Info;
}

/** Why a handshake may have failed; browsers do not tell, so the server is asked the plain way. */
export type Reason = "unreachable" | "key" | "full" | "refused" | "lost";

export async function reason(key: string): Promise<Reason> {
  try {
    const known = await call("/v1/models", authorization(key));
    if (known.status === 401) return "key";
    if (known.status === 403) return "refused";
    const ready = (await (await call("/readyz")).json()) as { sessions?: number; capacity?: number };
    return ready.sessions !== undefined && ready.sessions >= (ready.capacity ?? Infinity) ? "full" : "lost";
  } catch {
    return "unreachable";
  }
}
