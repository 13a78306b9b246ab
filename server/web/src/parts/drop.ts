/** Files that are dropped anywhere on the page; without this the browser would leave the page to show them. */

import { signal } from "@preact/signals";

export const isOver = signal(false);

/** `take` is given those that are no folders, and how many were. */
export function onDrop(take: (files: File[], folders: number) => void): void {
  const withFiles = (act: (event: DragEvent) => void) => (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    act(event);
  };
  addEventListener(
    "dragover",
    withFiles(() => (isOver.value = true)),
  );
  addEventListener("dragleave", (event) => event.relatedTarget === null && (isOver.value = false));
  addEventListener(
    "drop",
    withFiles(({ dataTransfer }) => {
      isOver.value = false;
      const items = [...dataTransfer!.items].filter((item) => item.kind === "file");
      const files = items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile());
      take(
        files.filter((file) => file !== null),
        items.length - files.length,
      );
    }),
  );
}
