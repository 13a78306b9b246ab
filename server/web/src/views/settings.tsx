/** What the user may choose. Everything is kept as it is changed: there is no button to save. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { languageName } from "../i18n";
import { t as common } from "../i18n/common";
import { t } from "../i18n/settings";
import { Check, Choice, Group, Slider } from "../parts/field";
import { Icon } from "../parts/icon";
import { reason } from "../protocol/server";
import { server } from "../store/server";
import * as settings from "../store/settings";
import { Hotwords } from "./hotwords";

export function Settings() {
  return (
    <section class="settings" aria-labelledby="settings-title">
      <h1 id="settings-title">{common("settings")}</h1>
      <Group title={t("speech")}>
        <Languages />
        <Slider label={t("silence")} value={settings.silenceMs} low={200} high={3000} step={100} shown={(ms) => t("seconds", { n: ms / 1000 })} help={t("silenceHelp")} />
        <Slider label={t("paragraph")} value={settings.paragraphS} low={1} high={10} step={0.5} shown={(n) => t("seconds", { n })} />
      </Group>
      <Group title={t("words")}>
        <Hotwords />
      </Group>
      <Group title={t("text")}>
        <Check label={t("asTyped")} value={settings.asTyped} />
        <Check label={t("fillers")} value={settings.fillers} />
        <Choice label={t("script")} value={settings.script} options={[["", t("asSpoken")], ["simplified", t("simplified")], ["traditional", t("traditional")]]} />
      </Group>
      <Group title={t("look")}>
        <div class="fields">
          <Choice label={t("interface")} value={settings.locale} options={[["", t("asBrowser")], ["en", "English"], ["zh", "中文"]]} />
          <Choice label={t("theme")} value={settings.theme} options={[["system", t("system")], ["light", t("light")], ["dark", t("dark")]]} />
          <Choice label={t("size")} value={settings.captionSize} options={[["s", t("s")], ["m", t("m")], ["l", t("l")]]} />
          <Choice label={t("contrast")} value={settings.contrast} options={[["normal", t("normal")], ["high", t("high")]]} />
        </div>
      </Group>
      <Group title={t("server")}>
        <Key />
        {server.value && (
          <p>
            {t("about", { version: server.value.version, model: server.value.model })} · <a href="docs">{t("calls")}</a>
          </p>
        )}
      </Group>
    </section>
  );
}

const COMMON = ["en", "zh", "yue", "ja", "ko", "de", "fr", "es", "it", "pt", "ru"]; // of a model that does not tell

function Languages() {
  const { languages } = settings;
  const known = server.value?.languages.length ? server.value.languages : COMMON;
  const offered = known.filter((code) => !languages.value.includes(code));
  const named = offered.map((code) => [code, languageName(code)] as const).sort((a, b) => a[1].localeCompare(b[1]));
  return (
    <div class="field">
      <label for="language">{t("languages")}</label>
      <div class="chips">
        {languages.value.map((code) => (
          <button type="button" class="chip" key={code} aria-label={t("removeLanguage", { name: languageName(code) })} onClick={() => (languages.value = languages.value.filter((each) => each !== code))}>
            {languageName(code)} <Icon name="close" />
          </button>
        ))}
        <select id="language" value="" onChange={(event) => (languages.value = [...languages.value, event.currentTarget.value])}>
          <option value="">{t("addLanguage")}</option>
          {named.map(([code, name]) => (
            <option key={code} value={code}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <small>{t("languagesHelp")}</small>
    </div>
  );
}

const CHECK_MS = 500;

function Key() {
  const isShown = useSignal(false);
  const verdict = useSignal<"right" | "wrong" | "">("");
  const isNeeded = server.value?.key_required ?? false;
  const typed = settings.key.value;
  useEffect(() => {
    verdict.value = "";
    if (!isNeeded || !typed) return;
    const timer = setTimeout(async () => {
      const found = await reason(typed);
      if (found === "key" || found === "lost" || found === "full") verdict.value = found === "key" ? "wrong" : "right";
    }, CHECK_MS);
    return () => clearTimeout(timer);
  }, [typed, isNeeded]);
  const box = {
    id: "key",
    autocomplete: "off",
    spellcheck: false,
    value: typed,
    onInput: (event: { currentTarget: HTMLInputElement }) => (settings.key.value = event.currentTarget.value.trim()),
  } as const;
  return (
    <form class="field" onSubmit={(event) => event.preventDefault()}>
      <label for="key">{t("key")}</label>
      <div class="row">
        {isShown.value ? <input type="text" {...box} /> : <input type="password" {...box} />}
        <Check label={t("show")} value={isShown} />
      </div>
      <small role="status" class={verdict.value}>
        {verdict.value === "right" ? t("keyRight") : verdict.value === "wrong" ? t("keyWrong") : server.value && !isNeeded ? t("keyUnneeded") : t("keyHelp")}
      </small>
    </form>
  );
}
