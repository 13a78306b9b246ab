/** A line that says what is the matter, with what to do about it. */

import type { ComponentChildren } from "preact";

import { Icon } from "./icon";

export function Notice({ kind = "info", children }: { kind?: "info" | "fault"; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind}`} role={kind === "fault" ? "alert" : "status"}>
      {kind === "fault" && <Icon name="warning" />}
      <div>{children}</div>
    </div>
  );
}
