/** One page at a time: what this one works on, no other takes up. */

/** Holds the lock of a transcript until the function that it gives is called; null if another page has it. */
export function hold(id: string): Promise<(() => void) | null> {
  if (!navigator.locks) return Promise.resolve(() => undefined); // plain HTTP from elsewhere
  return new Promise((resolve) => {
    void navigator.locks.request(`stenoline.${id}`, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise<void>((release) => resolve(release));
    });
  });
}
