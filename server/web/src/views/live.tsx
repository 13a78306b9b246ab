/** The microphone: captions while they are being said. */

import { useComputed, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";

import { t as common } from "../i18n/common";
import { t } from "../i18n/live";
import { useCountdown } from "../parts/countdown";
import { Notice } from "../parts/notice";
import { link } from "../parts/route";
import { Words } from "../parts/words";
import type { Segment } from "../store/database";
import * as live from "../store/live";
import { captionSize, paragraphS } from "../store/settings";
import { paragraphs, seam } from "../text/paragraphs";
import { Deck } from "./deck";

export function Live() {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof Element && event.target.matches("input, textarea, select, [contenteditable]");
      if (event.key.toLowerCase() === "r" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) live.toggle();
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

function Status() {
  const now = live.status.value;
  const trouble = live.trouble.value;
  const outage = live.outage.value;
  return (
    <>
      {live.recovering.value && <Notice>{t("recovering", { title: live.recovering.value.title })}</Notice>}
      {trouble && (
        <Notice kind="fault">
          {t(trouble)} {trouble === "key" && <a href={link("settings")}>{common("keyNeededAction")}</a>}
        </Notice>
      )}
      {outage && (
        <Notice kind="fault">
          {t(waitingText(outage.why))} {outage.why !== "offline" && <Again until={outage.until} />}
        </Notice>
      )}
      {live.isMute.value && <Notice kind="fault">{t("mute")}</Notice>}
      {now.kind === "live" && live.isBehind.value && <Notice>{t("catchingUp")}</Notice>}
      {live.fault.value && <Notice kind="fault">{live.fault.value.message}</Notice>}
    </>
  );
}

/** A timer is not read out with each second. */
function Again({ until }: { until: number }) {
  const left = useCountdown(until);
  return <span role="timer">{left ? t("again", { n: left }) : t("againNow")}</span>;
}

function waitingText(why: string): "unreachable" | "full" | "offline" | "waiting" {
  return why === "unreachable" || why === "full" || why === "offline" ? why : "waiting";
}

function Transcript() {
  useEffect(() => {
    if (live.phase.peek() !== "idle") scrollTo({ top: document.documentElement.scrollHeight }); // who comes back sees what is said
  }, []);
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
      <Aloud />
    </div>
  );
}

function Finals() {
  const found = paragraphs(live.segments.value, paragraphS.value);
  return (
    <div role="region" aria-label={t("transcript")} class="finals">
      {found.map((segments, i) => (
        <p key={segments[0]!.number}>
          <Said segments={segments} />
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

/** Hours of it: not drawn anew with each final. */
function Said({ segments }: { segments: Segment[] }) {
  return useMemo(
    () => (
      <>
        {segments.map((segment, i) => (
          <span key={segment.number} lang={segment.language || undefined}>
            {i > 0 && seam(segments[i - 1]!.text, segment.text)}
            <Words words={trimmed(segment.words)} />
          </span>
        ))}
      </>
    ),
    [segments[0], segments.length],
  );
}

/** What screen readers read out: each final once, and never what may still change. */
function Aloud() {
  const last = live.segments.value.at(-1);
  return (
    <p role="log" aria-label={t("newest")} class="hidden" lang={last?.language || undefined}>
      {last?.text}
    </p>
  );
}

function trimmed<T extends { text: string }>(words: T[]): T[] {
  return words.map((word, i) => (i ? word : { ...word, text: word.text.trimStart() }));
}

/** Solid where it stays, lighter where it may change. */
function Saying() {
  const [partial, last] = [live.partial.value, live.segments.value.at(-1)];
  const first = partial?.stable[0] ?? partial?.unstable[0];
  if (!partial || !first) return null;
  const isFresh = !!last && first.start - last.end >= paragraphS.value;
  return (
    <span class={`saying ${isFresh ? "fresh" : ""}`}>
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
