/** When a transcript was made, how long it is, of what it came, in what language, how many words. */

import { clock, date, language, languageName } from "../i18n";
import { t } from "../i18n/history";
import type { Transcript } from "../store/database";

export function Facts({ of }: { of: Transcript }) {
  return (
    <p class="facts">
      <time dateTime={new Date(of.created).toISOString()}>{date(of.created)}</time>
      {of.duration > 0 && <span>{clock(of.duration)}</span>}
      <span>{t(of.source)}</span>
      {of.language && <span>{languageName(of.language)}</span>}
      <span>{of.words === 1 ? t("oneWord") : t("words", { n: of.words.toLocaleString(language.value) })}</span>
      {of.state !== "done" && <span class="state">{t(of.state)}</span>}
    </p>
  );
}
