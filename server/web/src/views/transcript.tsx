/** One transcript: read along with its sound, corrected, written down again, exported. */

import { effect, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { Playhead } from "../audio/playhead";
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
import { link } from "../parts/route";
import { changes, keep, keepSegment, segments as segmentsOf, transcript as transcriptOf, type Segment, type Transcript } from "../store/database";
import * as files from "../store/files";
import * as history from "../store/history";
import { showsConfidence } from "../store/settings";
import { soundOf } from "../store/sound";

interface Properties {
  id: string;
  place: number | null; // segment to begin at
}

export function TranscriptView({ id, place }: Properties) {
  const shown = useSignal<Transcript | null | undefined>(undefined); // null: there is none; undefined: not read yet
  const segments = useSignal<Segment[]>([]);
  const head = useSignal<Playhead | null>(null);
  const isEditing = useSignal(false);
  const isUnsaved = useSignal(false);
  useEffect(() => {
    const load = async () => {
      const [found, written] = [await transcriptOf(id), await segmentsOf(id)];
      shown.value = found ?? null;
      if (!isEditing.peek() && !isSame(written, segments.peek())) segments.value = written;
    };
    return effect(() => (void changes.value, void load()));
  }, [id]);
  const isDone = shown.value?.state === "done";
  usePlayhead(head, shown.value, isDone);
  useKeys(head.value);

  const save = async (changed: Segment) => {
    segments.value = segments.value.map((each) => (each.number === changed.number ? changed : each));
    const words = segments.value.reduce((sum, each) => sum + each.words.length, 0);
    shown.value = { ...shown.value!, words };
    await note(keepSegment(shown.value, changed));
  };
  const retitle = (title: string) => {
    shown.value = { ...shown.value!, title };
    void note(keep(shown.value));
  };
  const note = async (saved: Promise<void>) => {
    isUnsaved.value = await saved.then(
      () => false,
      () => true,
    );
  };

  if (shown.value === undefined) return null;
  if (shown.value === null) return <Absent />;
  const transcript = shown.value;
  return (
    <section class="transcript" aria-label={t("transcript")}>
      <Back />
      <Title key={id} title={transcript.title} save={retitle} />
      <Facts of={transcript} />
      <Tools transcript={transcript} segments={() => segments.value} hasSound={head.value !== null} isEditing={isEditing} />
      <Notices transcript={transcript} hasText={segments.value.length > 0} head={head.value} isUnsaved={isUnsaved.value} />
      {isEditing.value ? (
        <Editor segments={segments.value} head={head.value} save={(changed) => void save(changed)} />
      ) : (
        <Reading segments={segments.value} head={head.value} place={place} />
      )}
      {head.value && !head.value.isUnplayable.value && (
        <div class="deck">
          <Player head={head.value} />
          <p class="hint keys">{t("keys")}</p>
        </div>
      )}
    </section>
  );
}

function isSame(one: Segment[], other: Segment[]): boolean {
  return one.length === other.length && one.every(({ text, start, end }, i) => text === other[i]!.text && start === other[i]!.start && end === other[i]!.end);
}

/** Its sound, once it is complete, until the view is left. */
function usePlayhead(head: { value: Playhead | null }, transcript: Transcript | null | undefined, isDone: boolean): void {
  useEffect(() => {
    let isGone = false;
    if (isDone) {
      void soundOf(transcript!).then((sound) => {
        if (sound && !isGone) head.value = new Playhead(sound, transcript!.duration);
      });
    }
    return () => {
      isGone = true;
      head.value?.close();
      head.value = null;
    };
  }, [transcript?.id, isDone]);
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
  useEffect(() => {
    document.title = `${typed.value || t("untitled")} · Stenoline`;
  }, [typed.value]);
  const type = (text: string) => {
    typed.value = text;
    save(text.trim() || t("untitled"));
  };
  return (
    <>
      <h1 class="hidden">{typed.value || t("untitled")}</h1>
      <input class="title" type="text" maxLength={200} value={typed.value} placeholder={t("untitled")} aria-label={t("title")} onInput={(event) => type(event.currentTarget.value)} />
    </>
  );
}

interface Tooling {
  transcript: Transcript;
  segments: () => Segment[];
  hasSound: boolean;
  isEditing: { value: boolean };
}

function Tools({ transcript, segments, hasSound, isEditing }: Tooling) {
  const isDone = transcript.state === "done";
  const isBusy = files.jobs.value.some((job) => job.id === transcript.id && job.phase !== "done" && job.phase !== "stopped");
  return (
    <div class="tools">
      {isDone && (
        <button type="button" aria-pressed={isEditing.value} disabled={isBusy || !segments().length} onClick={() => (isEditing.value = !isEditing.value)}>
          <Icon name={isEditing.value ? "check" : "edit"} /> {isEditing.value ? t("editing") : t("edit")}
        </button>
      )}
      <Exports transcript={transcript} segments={segments} hasSound={hasSound} />
      {isDone && hasSound && !isBusy && !isEditing.value && (
        <Confirm icon="again" label={t("again")} question={t("againAsk")} action={t("againDo")} act={() => void files.again(transcript)} />
      )}
      {transcript.state !== "recording" && (
        <Confirm icon="remove" label={common("remove")} question={t("removeAsk")} action={common("remove")} act={() => void remove(transcript)} />
      )}
      <label class="check">
        <input type="checkbox" checked={showsConfidence.value} onChange={(event) => (showsConfidence.value = event.currentTarget.checked)} />
        <span title={t("confidenceHelp")}>{t("confidence")}</span>
      </label>
    </div>
  );
}

async function remove(transcript: Transcript): Promise<void> {
  await history.remove(transcript);
  location.hash = link("history");
}

interface Noticed {
  transcript: Transcript;
  hasText: boolean;
  head: Playhead | null;
  isUnsaved: boolean;
}

function Notices({ transcript, hasText, head, isUnsaved }: Noticed) {
  const { state } = transcript;
  const seeFiles = <a href={link("files")}>{t("seeFiles")}</a>;
  return (
    <>
      {isUnsaved && <Notice kind="fault">{t("noRoom")}</Notice>}
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
      {state === "done" && !hasText && <Notice>{t("noWords")}</Notice>}
      {head?.isUnplayable.value && <Notice>{t("unplayable")}</Notice>}
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
