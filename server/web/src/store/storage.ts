/** The browser's storage of small texts. Where it is forbidden or full, they last as long as the page. */

export type Scope = "local" | "session"; // of the browser, of this tab

const storage = (scope: Scope) => (scope === "local" ? localStorage : sessionStorage);

export function recall(scope: Scope, key: string): string | null {
  try {
    return storage(scope).getItem(key);
  } catch {
    return null;
  }
}

/** Null: no longer. */
export function keep(scope: Scope, key: string, text: string | null): void {
  try {
    if (text === null) storage(scope).removeItem(key);
    else storage(scope).setItem(key, text);
  } catch {
    // what is chosen is in force nevertheless
  }
}
