/** Everything that has been written down: found again, opened, deleted. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { t as common } from "../i18n/common";
import { t } from "../i18n/history";
import { size } from "../i18n/size";
import { Confirm } from "../parts/confirm";
import { Facts } from "../parts/facts";
import { Marked } from "../parts/marked";
import { detail, link } from "../parts/route";
import { joined } from "../text/paragraphs";
import { changes, opening, type Segment, type Transcript } from "../store/database";
import * as history from "../store/history";
import { TranscriptView } from "./transcript";

const MOST_HITS = 3; // places of one transcript
const PAGE = 50; // transcripts shown at once

export function History() {
  const [id = "", place] = detail.value.split("~"); // as link() of a place below
  return id ? <TranscriptView key={id} id={id} place={place === undefined ? null : Number(place)} /> : <List />;
}

function List() {
  useEffect(history.follow, []);
  useEffect(history.search, []);
  const all = history.all.value;
  return (
    <section class="history" aria-labelledby="history-title">
      <h1 id="history-title">{common("history")}</h1>
      <p class="hidden" role="status">
        {history.removed.value && t("removed", { title: history.removed.value })}
      </p>
      {all?.length === 0 && <Empty />}
      {!!all?.length && (
        <>
          <Search />
          <Cards
            found={history.wanted.value.length ? history.found.value : all.map((transcript) => ({ transcript, segments: [] }))}
          />
          <Storage />
        </>
      )}
    </section>
  );
}

function Empty() {
  return (
    <div class="invitation">
      <p>{t("empty")}</p>
      <p>{t("emptyMore")}</p>
      <p class="ways">
        <a class="button primary" href={link("live")}>
          {t("startLive")}
        </a>
        <a class="button" href={link("files")}>
          {t("addFiles")}
        </a>
      </p>
    </div>
  );
}

function Search() {
  const count = history.found.value.length;
  const result = count === 0 ? t("nothing") : count === 1 ? t("oneResult") : t("results", { n: count });
  return (
    <search class="search">
      <input
        type="search"
        value={history.query.value}
        placeholder={t("search")}
        aria-label={t("search")}
        onInput={(event) => (history.query.value = event.currentTarget.value)}
      />
      <p role="status">{history.wanted.value.length > 0 && (history.isSearching.value ? t("searching") : result)}</p>
    </search>
  );
}

function Cards({ found }: { found: history.Found[] }) {
  const shown = useSignal(PAGE);
  const heading = useRef<HTMLHeadingElement>(null);
  const remove = async (transcript: Transcript) => {
    heading.current?.focus();
    await history.remove(transcript);
  };
  return (
    <>
      <h2 class="hidden" ref={heading} tabIndex={-1}>
        {t("list")}
      </h2>
      <ul class="cards">
        {found.slice(0, shown.value).map(({ transcript, segments }) => (
          <Card key={transcript.id} transcript={transcript} segments={segments} remove={() => void remove(transcript)} />
        ))}
      </ul>
      {found.length > shown.value && (
        <button type="button" onClick={() => (shown.value += PAGE)}>
          {t("more")}
        </button>
      )}
    </>
  );
}

function Card({ transcript, segments, remove }: history.Found & { remove: () => void }) {
  const terms = history.wanted.value;
  return (
    <li class="card">
      <div class="card-head">
        <h3>
          <a href={link("history", transcript.id)}>
            <Marked text={transcript.title} terms={terms} />
          </a>
        </h3>
        {transcript.state !== "recording" && (
          <Confirm
            icon="remove"
            label={common("remove")}
            about={transcript.title}
            question={t("removeAsk")}
            action={common("remove")}
            act={remove}
          />
        )}
      </div>
      <Facts of={transcript} />
      {terms.length ? <Hits id={transcript.id} segments={segments} terms={terms} /> : <Opening id={transcript.id} />}
    </li>
  );
}

function Hits({ id, segments, terms }: { id: string; segments: Segment[]; terms: string[] }) {
  return (
    <>
      {segments.slice(0, MOST_HITS).map(({ number, text, language }) => (
        <p class="hit" key={number}>
          <a href={link("history", `${id}~${number}`)} lang={language || undefined}>
            <Marked text={text} terms={terms} />
          </a>
        </p>
      ))}
      {segments.length > MOST_HITS && <p class="more">{t("moreHits", { n: segments.length - MOST_HITS })}</p>}
    </>
  );
}

function Opening({ id }: { id: string }) {
  const first = useSignal<Segment[]>([]);
  useEffect(() => changes.segments.subscribe(() => void opening(id).then((found) => (first.value = found))), [id]);
  if (!first.value.length) return null;
  return (
    <p class="opening" lang={first.value[0]!.language || undefined}>
      {joined(first.value.map((each) => each.text))}
    </p>
  );
}

/** How much room there is; asks that what is worth keeping be kept. */
function Storage() {
  const known = useSignal<{ used: number; quota: number; isPersisted: boolean } | null>(null);
  const count = history.all.value?.length;
  useEffect(() => void history.room().then((found) => (known.value = found)), [count]);
  if (!known.value) return null;
  const { used, quota, isPersisted } = known.value;
  return (
    <p class="storage">
      {t("storage", { used: size(used), quota: size(quota) })} {t(isPersisted ? "persisted" : "fleeting")}
    </p>
  );
}
