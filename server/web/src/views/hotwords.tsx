/** Words to expect: profiles, each with phrases as typed and ready-made lists. */

import { useSignal } from "@preact/signals";

import { t } from "../i18n/settings";
import { Notice } from "../parts/notice";
import { server } from "../store/server";
import { chosen, profile, profiles, type Profile } from "../store/settings";
import { faultOf, hotwordsOf } from "../text/hotwords";

const MOST = 1_000; // before the server has told its own
const MOST_BYTES = 1_000_000;

function change(part: Partial<Profile>): void {
  profiles.value = profiles.value.map((each, i) => (i === profile.value ? { ...each, ...part } : each));
}

export function Hotwords() {
  const told = server.value?.hotwords;
  return (
    <>
      {told && !told.active && <Notice>{t("inactive")}</Notice>}
      <Profiles />
      <Phrases most={told?.most ?? MOST} />
      {!!told?.lists.length && <Lists names={told.lists} />}
    </>
  );
}

function Profiles() {
  const add = () => {
    profiles.value = [...profiles.value, { name: `${t("profile")} ${profiles.value.length + 1}`, hotwords: "", lists: [] }];
    profile.value = profiles.value.length - 1;
  };
  const drop = () => {
    const { name, hotwords } = chosen();
    if (hotwords.trim() && !confirm(t("deleteProfileSure", { name: name || t("unnamed") }))) return;
    profiles.value = profiles.value.filter((_, i) => i !== profile.value);
    profile.value = 0;
  };
  return (
    <div class="row">
      <label class="field">
        <span>{t("profile")}</span>
        <select value={profile.value} onChange={(event) => (profile.value = Number(event.currentTarget.value))}>
          {profiles.value.map((each, i) => (
            <option key={i} value={i}>
              {each.name || t("unnamed")}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{t("profileName")}</span>
        <input type="text" value={chosen().name} placeholder={t("unnamed")} maxLength={60} onInput={(event) => change({ name: event.currentTarget.value })} />
      </label>
      <button type="button" onClick={add}>
        {t("newProfile")}
      </button>
      {profiles.value.length > 1 && (
        <button type="button" class="danger" onClick={drop}>
          {t("deleteProfile")}
        </button>
      )}
    </div>
  );
}

function Phrases({ most }: { most: number }) {
  const { hotwords } = chosen();
  const count = hotwordsOf(hotwords).length;
  const long = faultOf(hotwords);
  return (
    <div class="field">
      <label for="hotwords" class="hidden">
        {t("words")}
      </label>
      <textarea
        id="hotwords"
        rows={8}
        spellcheck={false}
        placeholder={t("wordsExample")}
        value={hotwords}
        aria-describedby="hotwords-help hotwords-count"
        onInput={(event) => change({ hotwords: event.currentTarget.value })}
      />
      <small id="hotwords-help">{t("wordsHelp")}</small>
      <div class="row">
        <small id="hotwords-count" class={count > most || long ? "wrong" : ""}>
          {count > most ? t("tooMany", { n: count, most }) : long ? t("tooLong", { n: long }) : t("count", { n: count, most })}
        </small>
        <Import />
      </div>
    </div>
  );
}

function Import() {
  const said = useSignal("");
  const take = async (event: Event & { currentTarget: HTMLInputElement }) => {
    const box = event.currentTarget;
    const file = box.files?.[0];
    if (!file) return;
    const text = file.size <= MOST_BYTES ? await file.text() : "";
    const lines = text.split(/\r?\n/).filter((line) => line.trim());
    if (!lines.length || text.includes("\0") || text.includes("\uFFFD")) said.value = t("importFault", { name: file.name });
    else {
      change({ hotwords: [chosen().hotwords.trimEnd(), ...lines].filter(Boolean).join("\n") });
      said.value = t("imported", { n: lines.length });
    }
    box.value = "";
  };
  return (
    <>
      <label class="button">
        {t("import")}
        <input type="file" class="hidden" accept=".txt,.csv,.tsv,text/plain" onChange={take} />
      </label>
      <small role="status">{said.value}</small>
    </>
  );
}

function Lists({ names }: { names: string[] }) {
  const { lists } = chosen();
  const toggle = (name: string, isOn: boolean) => change({ lists: isOn ? [...lists, name] : lists.filter((each) => each !== name) });
  return (
    <fieldset class="lists">
      <legend>{t("lists")}</legend>
      {names.map((name) => (
        <label class="check" key={name}>
          <input type="checkbox" checked={lists.includes(name)} onChange={(event) => toggle(name, event.currentTarget.checked)} />
          <span>{name}</span>
        </label>
      ))}
    </fieldset>
  );
}

