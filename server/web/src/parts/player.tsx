/** Controls of a sound that is played. */

import type { Playhead } from "../audio/playhead";
import { clock } from "../i18n";
import { t } from "../i18n/history";
import { Icon } from "./icon";

export const STEP_S = 5;
const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 3];

export function Player({ head }: { head: Playhead }) {
  return (
    <div class="player" role="group" aria-label={t("player")}>
      <button
        type="button"
        class="primary play"
        onClick={() => head.toggle()}
        aria-label={head.isPlaying.value ? t("pause") : t("play")}
      >
        <Icon name={head.isPlaying.value ? "pause" : "play"} />
      </button>
      <button type="button" class="plain step" onClick={() => head.skip(-STEP_S)} aria-label={t("backward")} title={t("backward")}>
        −{STEP_S}
      </button>
      <button type="button" class="plain step" onClick={() => head.skip(STEP_S)} aria-label={t("forward")} title={t("forward")}>
        +{STEP_S}
      </button>
      <Position head={head} />
      <label class="rate">
        <span class="hidden">{t("rate")}</span>
        <select value={head.rate.value} onChange={(event) => head.setRate(Number(event.currentTarget.value))}>
          {RATES.map((rate) => (
            <option key={rate} value={rate}>
              {rate}×
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

/** Apart from the rest, as it changes at each frame. */
function Position({ head }: { head: Playhead }) {
  const [now, all] = [clock(head.position.value), clock(head.duration)];
  return (
    <>
      <input
        type="range"
        min={0}
        max={head.duration || 1}
        step="any"
        value={head.position.value}
        aria-label={t("position")}
        aria-valuetext={t("of", { now, all })}
        onInput={(event) => head.seek(event.currentTarget.valueAsNumber)}
      />
      <span class="times">{t("of", { now, all })}</span>
    </>
  );
}
