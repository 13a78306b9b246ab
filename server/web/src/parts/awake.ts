/** Whether the tools are in sight: while somebody moves, types or touches, and a moment longer. And the screen stays on. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const MOMENT_MS = 3_000;
const SIGNS = ["pointermove", "pointerdown", "keydown", "focusin"] as const;

export function useAwake(): boolean {
  const isAwake = useSignal(true);
  useEffect(() => {
    let timer = 0;
    const wake = () => {
      isAwake.value = true;
      clearTimeout(timer);
      timer = window.setTimeout(() => (isAwake.value = false), MOMENT_MS);
    };
    wake();
    for (const sign of SIGNS) addEventListener(sign, wake);
    return () => {
      clearTimeout(timer);
      for (const sign of SIGNS) removeEventListener(sign, wake);
    };
  }, []);
  return isAwake.value;
}

/** Browsers that cannot, or do not want to, are left in peace. */
export function useWakeLock(): void {
  useEffect(() => {
    let lock: WakeLockSentinel | undefined;
    const hold = () => {
      if (!document.hidden) navigator.wakeLock?.request("screen").then((got) => (lock = got), () => undefined);
    };
    hold();
    document.addEventListener("visibilitychange", hold); // it is taken away from pages that are not seen
    return () => {
      document.removeEventListener("visibilitychange", hold);
      void lock?.release();
    };
  }, []);
}
