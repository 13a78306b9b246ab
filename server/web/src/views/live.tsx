/** The microphone: captions while they are being said. */

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { microphones } from "../audio/microphone";
import { clock } from "../i18n";
import { t as common } from "../i18n/common";
import { t } from "../i18n/live";
import { Notice } from "../parts/notice";
import { link } from "../parts/route";
import { Words } from "../parts/words";
import * as live from "../store/live";
import { captionSize, device, paragraphS, showsConfidence } from "../store/settings";
import { paragraphs, seam } from "../text/paragraphs";
import { Share } from "./share";

export function Live() {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof Element && event.target.matches("input, textarea, select, [contenteditable]");
      if (event.key.toLowerCase() === "r" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) toggle();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  return (
    <section class="live" aria-labelledby="live-title">
      <Heading />
      <Status />
      <Transcript />
      <Deck />
    </section>
  );
}

function Heading() {
  const title = live.title.value;
  return (
    <div class="heading">
      <h1 id="live-title" class={title ? "" : "hidden"}>
        {title || common("live")}
      </h1>
      {live.phase.value === "idle" && live.finished.value && (
        <>
          <a class="button" href={link("history", live.finished.value)}>
            {t("inHistory")}
          </a>
          <button type="button" onClick={live.clear}>
            {t("clear")}
          </button>
        </>
      )}
    </div>
  );
}

function toggle(): void {
  if (live.phase.value === "recording") live.stop();
  else if (live.phase.value === "idle") void live.start();
}

function Status() {
  const now = live.status.value;
  const trouble = live.trouble.value;
  const left = useCountdown(now.kind === "waiting" ? now.until : 0);
  return (
    <>
      {live.recovering.value && <Notice>{t("recovering", { title: live.recovering.value.title })}</Notice>}
      {trouble && (
        <Notice kind="fault">
          {t(trouble)} {trouble === "key" && <a href={link("settings")}>{common("keyNeededAction")}</a>}
        </Notice>
      )}
      {now.kind === "waiting" && <Notice kind="fault">{now.why === "offline" ? t("offline") : left ? t(waitingText(now.why), { n: left }) : t("waitingNow")}</Notice>}
      {now.kind === "live" && live.isBehind.value && <Notice>{t("catchingUp")}</Notice>}
      {live.fault.value && <Notice kind="fault">{live.fault.value.message}</Notice>}
    </>
  );
}

function waitingText(why: string): "unreachable" | "full" | "waiting" {
  return why === "unreachable" || why === "full" ? why : "waiting";
}

/** Whole seconds until a time (ms), counted down. */
function useCountdown(until: number): number {
  const now = useSignal(Date.now());
  useEffect(() => {
    if (!until) return;
    const timer = setInterval(() => (now.value = Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil((until - now.value) / 1000));
}

function Transcript() {
  useSignalEffect(() => {
    if (!live.segments.value.length && !live.partial.value) return;
    const near = document.documentElement.scrollHeight - scrollY - innerHeight < 240;
    if (near) scrollTo({ top: document.documentElement.scrollHeight }); // scrollIntoView() would move the keyboard's place
  });
  const isEmpty = useComputed(() => !live.segments.value.length && !live.partial.value);
  return (
    <div class={`captions size-${captionSize.value}`}>
      {isEmpty.value && (
        <div class="invitation">
          <p>{t("invitation")}</p>
          <p>{t("invitationMore")}</p>
        </div>
      )}
      <Finals />
    </div>
  );
}

function Finals() {
  const found = paragraphs(live.segments.value, paragraphS.value);
  return (
    <div role="log" aria-label={t("transcript")} aria-live="polite" aria-relevant="additions" class="finals">
      {found.map((segments, i) => (
        <p key={segments[0]!.number}>
          {segments.map((segment, i) => (
            <span key={segment.number} lang={segment.language || undefined}>
              {i > 0 && seam(segments[i - 1]!.text, segment.text)}
              <Words words={trimmed(segment.words)} />
            </span>
          ))}
          {i === found.length - 1 && <Saying />}
        </p>
      ))}
      {!found.length && (
        <p>
          <Saying />
        </p>
      )}
    </div>
  );
}

function trimmed<T extends { text: string }>(words: T[]): T[] {
  return words.map((word, i) => (i ? word : { ...word, text: word.text.trimStart() }));
}

/** Solid where it stays, lighter where it may change; read to nobody, as it would be read again and again. */
function Saying() {
  const [partial, last] = [live.partial.value, live.segments.value.at(-1)];
  const first = partial?.stable[0] ?? partial?.unstable[0];
  if (!partial || !first) return null;
  const isFresh = !!last && first.start - last.end >= paragraphS.value;
  return (
    <span class={`saying ${isFresh ? "fresh" : ""}`} aria-live="off">
      {!isFresh && last && seam(last.text, first.text)}
      <span class="stable">
        <Words words={trimmed(partial.stable)} />
      </span>
      <span class="unstable">
        <Words words={partial.stable.length ? partial.unstable : trimmed(partial.unstable)} />
      </span>
    </span>
  );
}

function Deck() {
  const phase = live.phase.value;
  return (
    <div class="deck">
      <div class="deck-row">
        <button
          type="button"
          class={`record ${phase}`}
          onClick={toggle}
          disabled={phase === "opening" || phase === "finishing"}
          title={t("shortcut")}
          aria-keyshortcuts="R"
        >
          <span class="dot" />
          {phase === "recording" ? t("stop") : phase === "finishing" ? t("finishing") : t("start")}
        </button>
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
  const decibels = live.peak.value > 0 ? 20 * Math.log10(live.peak.value) : -60;
  const level = Math.max(0, Math.min(100, (decibels + 60) / 0.6));
  const isQuiet = live.phase.value === "recording" && live.heardS.value - quiet.value > QUIET_S;
  return (
    <div class="meter-box">
      <div class={`meter ${level > 97 ? "clipping" : ""}`} role="meter" aria-label={t("level")} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(level)}>
        <span style={{ width: `${level}%` }} />
      </div>
      {isQuiet && <p role="status">{t("tooQuiet")}</p>}
    </div>
  );
}

function Figures() {
  const [latency, factor] = [live.latencyMs.value, live.realTimeFactor.value];
  return (
    <dl class="figures">
      <div>
        <dt class="hidden">{common("live")}</dt>
        <dd class="time">{clock(live.heardS.value)}</dd>
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
