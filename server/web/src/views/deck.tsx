/** Below the captions: the button, the level, the figures, what is chosen once. */

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { microphones } from "../audio/microphone";
import { clock } from "../i18n";
import { t as common } from "../i18n/common";
import { t } from "../i18n/live";
import * as live from "../store/live";
import { device, showsConfidence } from "../store/settings";
import { Share } from "./share";

export function Deck() {
  const phase = live.phase.value;
  return (
    <div class="deck">
      <div class="deck-row">
        <button
          type="button"
          class={`record ${phase}`}
          onClick={live.toggle}
          aria-disabled={phase === "opening" || phase === "finishing"}
          title={t("shortcut")}
          aria-keyshortcuts="R"
        >
          <span class="dot" />
          {phase === "recording" ? t("stop") : phase === "finishing" ? t("finishing") : t("start")}
        </button>
        {phase === "finishing" && (
          <button type="button" onClick={live.leave} title={t("leaveHelp")}>
            {t("leave")}
          </button>
        )}
        <Meter />
        <Figures />
      </div>
      <div class="deck-row small">
        <Devices />
        <label class="check">
          <input type="checkbox" checked={showsConfidence.value} onChange={(event) => (showsConfidence.value = event.currentTarget.checked)} />
          <span title={t("confidenceHelp")}>{t("confidence")}</span>
        </label>
        <Share />
      </div>
    </div>
  );
}

const QUIET_S = 4;

function Meter() {
  const quiet = useSignal(0);
  useSignalEffect(() => {
    const now = live.heardS.value;
    if (live.peak.peek() > 0.004 || live.phase.peek() !== "recording") quiet.value = now;
  });
  const level = useComputed(() => levelOf(live.peak.value)).value;
  const isQuiet = useComputed(() => live.phase.value === "recording" && live.heardS.value - quiet.value > QUIET_S).value;
  return (
    <div class="meter-box">
      <div class={`meter ${level > 97 ? "clipping" : ""}`} role="meter" aria-label={t("level")} aria-valuemin={0} aria-valuemax={100} aria-valuenow={level - (level % 10)}>
        <span style={{ transform: `scaleX(${level / 100})` }} />
      </div>
      {isQuiet && <p role="status">{t("tooQuiet")}</p>}
    </div>
  );
}

/** Of the scale, %: whole ones, so that fifty pieces a second do not draw it fifty times. */
function levelOf(peak: number): number {
  const decibels = peak > 0 ? 20 * Math.log10(peak) : -60;
  return Math.round(Math.max(0, Math.min(100, (decibels + 60) / 0.6)));
}

function Figures() {
  const time = useComputed(() => clock(live.heardS.value)).value;
  const [latency, factor] = [live.latencyMs.value, live.realTimeFactor.value];
  return (
    <dl class="figures">
      <div>
        <dt class="hidden">{common("live")}</dt>
        <dd class="time">{time}</dd>
      </div>
      <div title={t("latencyHelp")}>
        <dt>{t("latency")}</dt>
        <dd id="latency">{latency === null ? "–" : t("ms", { n: Math.round(latency) })}</dd>
      </div>
      <div title={t("rtfHelp")}>
        <dt>{t("rtf")}</dt>
        <dd id="rtf">{factor === null ? "–" : factor.toFixed(2)}</dd>
      </div>
    </dl>
  );
}

function Devices() {
  const found = useSignal<{ id: string; name: string }[]>([]);
  useEffect(() => {
    const look = () => void microphones().then((all) => (found.value = all));
    look();
    const stop = live.phase.subscribe(look); // names are told once the microphone is allowed
    navigator.mediaDevices?.addEventListener("devicechange", look);
    return () => {
      stop();
      navigator.mediaDevices?.removeEventListener("devicechange", look);
    };
  }, []);
  return (
    <label class="device">
      <span>{t("microphone")}</span>
      <select value={device.value} disabled={live.phase.value !== "idle"} onChange={(event) => (device.value = event.currentTarget.value)}>
        <option value="">{t("standard")}</option>
        {found.value.map(({ id, name }, i) => (
          <option key={id} value={id}>
            {name || t("unnamed", { n: i + 1 })}
          </option>
        ))}
      </select>
    </label>
  );
}
