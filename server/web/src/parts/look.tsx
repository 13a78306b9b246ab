/** How captions look, to be chosen, and the link that carries the choice. */

import { useSignal, type Signal } from "@preact/signals";

import { t as common } from "../i18n/common";
import { t } from "../i18n/captions";
import { viewers } from "../store/captions";
import * as live from "../store/live";
import * as look from "../store/look";
import { server } from "../store/server";

export function Look() {
  return (
    <div class="look" role="group" aria-label={t("look")}>
      <Choice label={t("theme")} state={look.theme} values={look.THEMES} text={(value) => t(`theme-${value}`)} />
      <Choice label={t("size")} state={look.size} values={look.SIZES} text={sizeText} />
      <Choice label={t("lines")} state={look.lines} values={look.LINES} text={(value) => (value === "all" ? t("lines-all") : value)} />
      <Choice label={t("position")} state={look.position} values={look.POSITIONS} text={(value) => t(`position-${value}`)} />
      <Choice label={t("align")} state={look.align} values={look.ALIGNMENTS} text={(value) => t(`align-${value}`)} />
      <Choice label={t("hold")} state={look.hold} values={look.HOLDS} text={holdText} />
      <Choice label={t("lang")} state={look.lang} values={["", ...look.LOCALES]} text={(value) => t(`lang-${value}`)} />
      <Link />
    </div>
  );
}

function sizeText(value: string): string {
  return isOneOf(look.SIZES, value) ? t(`size-${value}`) : t("pixels", { n: value });
}

function holdText(value: string): string {
  return Number(value) ? t("seconds", { n: value }) : t("never");
}

function isOneOf<T extends string>(values: readonly T[], value: string): value is T {
  return (values as readonly string[]).includes(value);
}

interface Choosing<T extends string> {
  label: string;
  state: Signal<string>;
  values: readonly T[];
  text: (value: T) => string;
}

/** The usual values, and the one that the address gave. */
function Choice<T extends string>({ label, state, values, text }: Choosing<T>) {
  const all = isOneOf(values, state.value) ? values : [state.value as T, ...values];
  return (
    <label>
      <span>{label}</span>
      <select value={state.value} onChange={(event) => (state.value = event.currentTarget.value)}>
        {all.map((value) => (
          <option key={value} value={value}>
            {text(value)}
          </option>
        ))}
      </select>
    </label>
  );
}

function Link() {
  const copied = useSignal("");
  const shared = look.room === null ? live.room.value?.name : undefined;
  const url = location.origin + location.pathname + look.parameters(shared ?? look.room);
  const copy = async (event: Event) => {
    (event.currentTarget as Element).parentElement?.querySelector("input")?.select(); // for browsers without the clipboard
    await navigator.clipboard?.writeText(url).then(() => (copied.value = url), () => undefined);
  };
  return (
    <div class="link">
      <label>
        <span>{shared ? t("viewersLink") : t("link")}</span>
        <input type="text" readOnly value={url} onFocus={(event) => event.currentTarget.select()} />
      </label>
      <button type="button" onClick={copy}>
        {copied.value === url ? common("copied") : common("copy")}
      </button>
      {look.room === null && <Sharing isShared={Boolean(shared)} />}
      <p>{t("linkHelp")}</p>
    </div>
  );
}

function Sharing({ isShared }: { isShared: boolean }) {
  if (server.value?.captions === false) return null;
  if (!isShared) {
    return (
      <button type="button" onClick={live.share} disabled={live.phase.value === "finishing"}>
        {t("share")}
      </button>
    );
  }
  return (
    <>
      <button type="button" onClick={live.unshare}>
        {t("unshare")}
      </button>
      <span role="status">{live.phase.value === "recording" && t("watching", { n: viewers.value })}</span>
    </>
  );
}
