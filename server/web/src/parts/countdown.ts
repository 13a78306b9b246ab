/** Whole seconds until a time, counted down. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** `until` in ms, as Date.now() counts; 0: nothing to wait for. */
export function useCountdown(until: number): number {
  const now = useSignal(Date.now());
  useEffect(() => {
    if (!until) return;
    now.value = Date.now();
    const timer = setInterval(() => (now.value = Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil((until - now.value) / 1000));
}
