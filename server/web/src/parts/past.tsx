/** All that has been said, with times. Screen readers follow it also where it is not in sight. */

import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";

import { t } from "../i18n/captions";
import { asText, finals } from "../store/captions";
import { Icon } from "./icon";

const NEAR = 80; // px from the end: who has scrolled back reads in peace

export function Past({ isOpen, close }: { isOpen: boolean; close: () => void }) {
  const list = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    void finals.value;
    const box = list.current;
    if (box && box.scrollHeight - box.scrollTop - box.clientHeight < NEAR) requestAnimationFrame(() => (box.scrollTop = box.scrollHeight));
  });
  return (
    <aside class={isOpen ? "past" : "past hidden"} id="past" aria-labelledby="past-title">
      <header>
        <h2 id="past-title">{t("transcript")}</h2>
        {isOpen && (
          <>
            <button type="button" onClick={save} disabled={!finals.value.length}>
              <Icon name="download" /> {t("saveText")}
            </button>
            <button type="button" class="plain" onClick={close} aria-label={t("close")}>
              <Icon name="close" />
            </button>
          </>
        )}
      </header>
      <div ref={list} class="list" role="log" aria-label={t("transcript")} tabIndex={isOpen ? 0 : undefined}>
        {isOpen && !finals.value.length && <p class="empty">{t("transcriptEmpty")}</p>}
        {finals.value.map(({ id, time, text, language }) => (
          <p key={id} lang={language ?? undefined} dir="auto">
            <time>{time}</time> {text.trim()}
          </p>
        ))}
      </div>
    </aside>
  );
}

function save(): void {
  const url = URL.createObjectURL(new Blob([asText()], { type: "text/plain;charset=utf-8" }));
  const stamp = new Date().toISOString().slice(0, 16).replace("T", "-").replace(":", "");
  Object.assign(document.createElement("a"), { href: url, download: `captions-${stamp}.txt` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
