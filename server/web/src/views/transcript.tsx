/** One transcript: read along with its sound, corrected, written down again, exported. */

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

import type { Playhead } from "../audio/playhead";
import { t as common } from "../i18n/common";
import { t } from "../i18n/history";
import { Confirm } from "../parts/confirm";
import { Editor } from "../parts/editor";
import { Exports } from "../parts/exports";
import { Facts } from "../parts/facts";
import { Icon } from "../parts/icon";
import { Notice } from "../parts/notice";
import { Player, STEP_S } from "../parts/player";
import { Reading } from "../parts/reading";
import { link, view } from "../parts/route";
import type { Transcript } from "../store/database";
import * as files from "../store/files";
import * as history from "../store/history";
import { Opened } from "../store/opened";
import { showsConfidence } from "../store/settings";
import "../styles/transcript.css";

interface Properties {
  id: string;
  place: number | null; // segment to begin at
}

export function TranscriptView({ id, place }: Properties) {
  const open = useMemo(() => new Opened(id), [id]);
  useEffect(() => () => open.close(), [open]);
  useKeys(open.head.value);
  const [transcript, head] = [open.transcript.value, open.head.value];
  if (transcript === null) return <Absent />;
  if (!transcript || !open.segments.value) return null;
  return (
    <section class="transcript" aria-label={t("transcript")}>
      <Back />
      <Title title={transcript.title} save={(title) => open.retitle(title)} />
      <Facts of={transcript} />
      <Tools open={open} transcript={transcript} />
      <Notices open={open} transcript={transcript} />
      <Text open={open} place={place} />
      {head && !head.isUnplayable.value && (
        <div class="deck">
          <Player head={head} />
          <p class="hint keys">{t("keys")}</p>
        </div>
      )}
    </section>
  );
}

/** Thousands of words: not drawn anew because of anything else. */
function Text({ open, place }: { open: Opened; place: number | null }) {
  const [segments, head, isEditing] = [open.segments.value!, open.head.value, open.isEditing.value];
  return useMemo(
    () =>
      isEditing ? (
        <Editor segments={segments} head={head} save={(changed) => open.correct(changed)} />
      ) : (
        <Reading segments={segments} head={head} place={place} />
      ),
    [segments, head, isEditing, place],
  );
}

/** Space and arrows, wherever they mean nothing else. */
function useKeys(head: Playhead | null): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as Element;
      if (!head || event.ctrlKey || event.altKey || event.metaKey) return;
      if (target.matches("textarea, select, input:not([type=range], [type=checkbox])")) return;
      if (event.key === " " && target.matches("button, summary, a, [type=checkbox]")) return;
      if (event.key === " ") head.toggle();
      else if (event.key === "ArrowLeft") head.skip(-STEP_S);
      else if (event.key === "ArrowRight") head.skip(STEP_S);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [head]);
}

function Back() {
  return (
    <a class="back" href={link("history")}>
      <Icon name="back" /> {t("back")}
    </a>
  );
}

function Absent() {
  return (
    <section>
      <Back />
      <h1>{common("history")}</h1>
      <Notice>{t("absent")}</Notice>
    </section>
  );
}

/** Looks like a heading, and can be typed over. */
function Title({ title, save }: { title: string; save: (title: string) => void }) {
  const typed = useSignal(title);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${typed.value || t("untitled")} · Stenoline`;
  }, [typed.value]);
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true }); // its link is gone
    return () => {
      if (view.value === "history") document.title = `${common("history")} · Stenoline`;
    };
  }, []);
  const type = (text: string) => {
    typed.value = text;
    save(text.trim() || t("untitled"));
  };
  return (
    <>
      <h1 class="hidden" ref={heading} tabIndex={-1}>
        {typed.value || t("untitled")}
      </h1>
      <input
        class="title"
        type="text"
        maxLength={200}
        value={typed.value}
        placeholder={t("untitled")}
        aria-label={t("title")}
        onInput={(event) => type(event.currentTarget.value)}
      />
    </>
  );
}

interface Part {
  open: Opened;
  transcript: Transcript;
}

function Tools({ open, transcript }: Part) {
  const isBusy = files.jobs.value.some(({ id, phase }) => id === transcript.id && phase !== "done" && phase !== "stopped");
  const isEditing = open.isEditing.value;
  const canHearAgain = open.isDone.value && open.head.value && !isBusy && !isEditing;
  return (
    <div class="tools">
      {open.isDone.value && <Edit open={open} isBusy={isBusy} />}
      <Exports transcript={transcript} segments={() => open.segments.value!} hasSound={open.head.value !== null} />
      {canHearAgain && (
        <Confirm
          icon="again"
          label={t("again")}
          question={t("againAsk")}
          action={t("againDo")}
          act={() => void files.again(transcript)}
        />
      )}
      {transcript.state !== "recording" && (
        <Confirm
          icon="remove"
          label={common("remove")}
          question={t("removeAsk")}
          action={common("remove")}
          act={() => void remove(transcript)}
        />
      )}
      <Confidence />
    </div>
  );
}

function Edit({ open, isBusy }: { open: Opened; isBusy: boolean }) {
  const isEditing = open.isEditing.value;
  return (
    <button
      type="button"
      aria-pressed={isEditing}
      disabled={isBusy || !open.segments.value!.length}
      onClick={() => (open.isEditing.value = !isEditing)}
    >
      <Icon name={isEditing ? "check" : "edit"} /> {isEditing ? t("editing") : t("edit")}
    </button>
  );
}

function Confidence() {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={showsConfidence.value}
        onChange={(event) => (showsConfidence.value = event.currentTarget.checked)}
      />
      <span title={t("confidenceHelp")}>{t("confidence")}</span>
    </label>
  );
}

async function remove(transcript: Transcript): Promise<void> {
  await history.remove(transcript);
  location.hash = link("history");
}

function Notices({ open, transcript }: Part) {
  const { state } = transcript;
  const seeFiles = <a href={link("files")}>{t("seeFiles")}</a>;
  return (
    <>
      {open.isUnsaved.value && <Notice kind="fault">{t("noRoom")}</Notice>}
      {state === "recording" && <Notice>{t("stillRecording")}</Notice>}
      {state === "writing" && (
        <Notice>
          {t("stillWriting")} {seeFiles}
        </Notice>
      )}
      {state === "stopped" && (
        <Notice kind="fault">
          {t("notWritten")} {seeFiles}
        </Notice>
      )}
      <Again id={transcript.id} />
      {state === "done" && !open.segments.value!.length && <Notice>{t("noWords")}</Notice>}
      {open.isSilent.value && <Notice>{t("noSound")}</Notice>}
      {open.head.value?.isUnplayable.value && <Notice>{t("unplayable")}</Notice>}
    </>
  );
}

/** How far it is with being written down again. */
function Again({ id }: { id: string }) {
  const job = files.jobs.value.find((each) => each.id === id && each.isAgain);
  if (!job || job.phase === "done") return null;
  const isStopped = job.phase === "stopped";
  const percent = job.duration ? Math.min(100, Math.round((100 * job.heard) / job.duration)) : 0;
  return (
    <div class={`notice ${isStopped ? "fault" : ""}`}>
      <div>
        {isStopped ? t("againStopped") : t("againGoing", { percent })} <a href={link("files")}>{t("seeFiles")}</a>
      </div>
    </div>
  );
}
