/** Captions and nothing else: of a room, or of this device's own microphone. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { t } from "../i18n/captions";
import { t as liveText } from "../i18n/live";
import { useAwake, useWakeLock } from "../parts/awake";
import { canBeFull, isFull, toggleFull } from "../parts/fullscreen";
import { Icon } from "../parts/icon";
import { Look } from "../parts/look";
import { Past } from "../parts/past";
import { Captions as Lines } from "../parts/roll";
import { RoomStatus, Begin, OwnStatus } from "../parts/status";
import * as live from "../store/live";
import { align, isTransparent, position, room, size, SIZES } from "../store/look";

type Panel = "look" | "past" | null;

export function Captions() {
  const panel = useSignal<Panel>(null);
  const isAwake = useAwake();
  useWakeLock();
  const turn = (to: Panel) => (panel.value = panel.value === to ? null : to);
  useEffect(() => keys({ f: toggleFull, t: () => turn("past"), escape: () => turn(null), ...(room === null ? { r: live.toggle } : {}) }), []);
  const isNeeded = panel.value === "look" || (room === null && live.phase.value === "idle");
  return (
    <div
      class={`stage ${looks()} ${isAwake || isNeeded ? "awake" : ""}`}
      style={isNamed() ? {} : { "--size": `${size.value}px` }}
      onPointerDown={(event) => {
        if (panel.value === "look" && !(event.target as Element).closest(".tools")) panel.value = null;
      }}
    >
      <main>
        <h1 class="hidden">{t("title")}</h1>
        <div class="head">
          {room === null ? <OwnStatus /> : <RoomStatus />}
          <Tools panel={panel.value} turn={turn} />
        </div>
        {room === null && <Begin />}
        <Lines />
      </main>
      <Past isOpen={panel.value === "past"} close={() => turn(null)} />
    </div>
  );
}

const isNamed = () => SIZES.some((each) => each === size.value);

function looks(): string {
  const names = [`at-${position.value}`, `align-${align.value}`];
  if (isNamed()) names.push(`size-${size.value}`);
  if (isTransparent.value) names.push("transparent");
  return names.join(" ");
}

/** Single keys, unless somebody types. */
function keys(acts: Record<string, () => void>): () => void {
  const press = (event: KeyboardEvent) => {
    const isTyping = event.target instanceof Element && event.target.matches("input, textarea, select");
    if ((isTyping && event.key !== "Escape") || event.ctrlKey || event.metaKey || event.altKey) return;
    acts[event.key.toLowerCase()]?.();
  };
  addEventListener("keydown", press);
  return () => removeEventListener("keydown", press);
}

function Tools({ panel, turn }: { panel: Panel; turn: (to: Panel) => void }) {
  return (
    <div class="tools" role="group" aria-label={t("tools")}>
      <div class="row">
        {room === null && live.phase.value === "recording" && (
          <button type="button" class="stop" onClick={live.stop} title="R">
            <span class="dot" /> {t("stop")}
          </button>
        )}
        {room === null && live.phase.value === "finishing" && (
          <button type="button" onClick={live.leave} title={liveText("leaveHelp")}>
            {liveText("leave")}
          </button>
        )}
        <button type="button" onClick={() => turn("past")} aria-expanded={panel === "past"} aria-controls="past" title="T">
          <Icon name="history" /> <span>{t("transcript")}</span>
        </button>
        <button type="button" onClick={() => turn("look")} aria-expanded={panel === "look"}>
          <Icon name="settings" /> <span>{t("look")}</span>
        </button>
        <a class="button" href="./">
          <Icon name="back" /> <span>Stenoline</span>
        </a>
        {canBeFull && (
          <button type="button" onClick={toggleFull} title="F">
            <Icon name="captions" /> <span>{isFull.value ? t("leaveFullscreen") : t("fullscreen")}</span>
          </button>
        )}
      </div>
      {panel === "look" && <Look />}
    </div>
  );
}
