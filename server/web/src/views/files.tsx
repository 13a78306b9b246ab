/** Recordings handed in: dropped or chosen, and on their way to text. */

import { useRef } from "preact/hooks";

import { clock, languageName } from "../i18n";
import { t as common } from "../i18n/common";
import { t } from "../i18n/files";
import { size } from "../i18n/size";
import { useCountdown } from "../parts/countdown";
import { isOver, onDrop } from "../parts/drop";
import { Icon } from "../parts/icon";
import { Notice } from "../parts/notice";
import { link } from "../parts/route";
import * as files from "../store/files";
import type { Job } from "../store/files";
import { server } from "../store/server";
import { languages } from "../store/settings";

const KINDS = "audio/*,video/*,.wav,.mp3,.flac,.ogg,.oga,.opus,.webm,.m4a,.mp4,.mov,.mkv,.aac,.aiff,.amr,.caf";

onDrop((dropped, folders) => {
  location.hash = link("files");
  files.hadFolders.value = folders > 0;
  void files.add(dropped);
});

export function Files() {
  const jobs = files.jobs.value;
  return (
    <section class="files" aria-labelledby="files-title">
      <h1 id="files-title">{common("files")}</h1>
      <Door isSmall={jobs.length > 0} />
      {files.isTooMany.value && <Notice kind="fault">{t("tooMany")}</Notice>}
      {files.hadFolders.value && <Notice kind="fault">{t("folders")}</Notice>}
      {jobs.length > 0 && <Jobs jobs={jobs} />}
    </section>
  );
}

function Door({ isSmall }: { isSmall: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const take = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
    files.hadFolders.value = false;
    void files.add([...(currentTarget.files ?? [])]);
    currentTarget.value = ""; // the same file may be chosen again
  };
  return (
    <div class={`door ${isSmall ? "small" : ""} ${isOver.value ? "over" : ""}`}>
      <Icon name="upload" />
      <p class="invite">{t("invitation")}</p>
      <button type="button" class="primary" onClick={() => input.current?.click()}>
        {t("choose")}
      </button>
      <input ref={input} type="file" multiple hidden accept={KINDS} onChange={take} aria-label={t("choose")} />
      <Terms />
    </div>
  );
}

function Terms() {
  const limits = server.value?.recordings;
  const names = languages.value.map(languageName).join(", ");
  return (
    <div class="terms">
      <p>{limits ? t("kinds", { size: size(limits.most_bytes), hours: hours(limits.most_s) }) : t("kindsOnly")}</p>
      <p>
        {names ? t("wishesIn", { names }) : t("wishesAuto")} <a href={link("settings")}>{t("change")}</a>
      </p>
      {!files.jobs.value.length && <p>{t("empty")}</p>}
    </div>
  );
}

const hours = (seconds: number) => String(Math.round(seconds / 360) / 10);

function Jobs({ jobs }: { jobs: Job[] }) {
  const done = jobs.filter((job) => job.phase === "done").length;
  const heading = useRef<HTMLHeadingElement>(null);
  return (
    <>
      <div class="jobs-head">
        <h2 ref={heading} tabIndex={-1}>
          {t("list")}
        </h2>
        <span role="status">{t("summary", { done, all: jobs.length })}</span>
        {done > 0 && (
          <button type="button" onClick={() => (files.dismissDone(), heading.current?.focus())}>
            {t("clearDone")}
          </button>
        )}
      </div>
      <ul class="jobs">
        {jobs.map((job) => (
          <Card key={job.id} job={job} gone={() => heading.current?.focus()} />
        ))}
      </ul>
    </>
  );
}

function Card({ job, gone }: { job: Job; gone: () => void }) {
  const facts = [job.bytes ? size(job.bytes) : "", job.duration ? clock(job.duration) : "", job.isAgain ? t("again") : ""];
  return (
    <li class={`card job ${job.phase}`}>
      <div class="job-head">
        <h3>{job.title}</h3>
        <p class="facts">
          {facts.filter(Boolean).map((fact) => (
            <span key={fact}>{fact}</span>
          ))}
          <State job={job} />
        </p>
      </div>
      <Actions job={job} gone={gone} />
      <Bar job={job} />
      <Trouble job={job} />
      {job.text && <p class="tail">{job.text}</p>}
    </li>
  );
}

function State({ job }: { job: Job }) {
  const left = useCountdown(job.phase === "pausing" ? job.until : 0);
  return <span class="state">{stateOf(job, left)}</span>;
}

function stateOf(job: Job, left: number): string {
  const heard = clock(job.written);
  if (job.phase === "uploading") return t("uploading", { share: share(job.sent, job.bytes) });
  if (job.phase === "writing" && !job.heard) return t("queued");
  if (job.phase === "writing")
    return job.duration ? t("writing", { heard, all: clock(job.duration) }) : t("writingOpen", { heard });
  if (job.phase === "pausing") return t("pausing", { n: left });
  if (job.phase === "stopped" && job.fault?.kind === "cancelled") return t("cancelled");
  return job.phase === "done" && !job.text ? t("doneEmpty") : t(job.phase);
}

const share = (part: number, all: number) => (all ? Math.min(100, Math.round((100 * part) / all)) : 0);

/** Going up is the first tenth; then what has been heard counts a little, and what has been written down the most. */
function Bar({ job }: { job: Job }) {
  if (job.phase !== "uploading" && job.phase !== "writing") return null;
  const up = job.phase === "uploading" ? share(job.sent, job.bytes) / 10 : 10;
  const isOpen = job.phase === "writing" && !job.duration;
  return (
    <progress
      max={100}
      aria-label={t("progress", { name: job.title })}
      {...(isOpen ? {} : { value: up + 0.2 * share(job.heard, job.duration) + 0.7 * share(job.written, job.duration) })}
    />
  );
}

function Actions({ job, gone }: { job: Job; gone: () => void }) {
  const { id, phase, title: name } = job;
  const isOver = phase === "stopped" || phase === "done";
  return (
    <div class="job-actions">
      {(phase === "stopped" || phase === "pausing") && (
        <button type="button" aria-label={`${common("retry")}: ${name}`} onClick={() => files.retry(id)}>
          <Icon name="again" /> {common("retry")}
        </button>
      )}
      {!isOver && (
        <button type="button" aria-label={`${common("cancel")}: ${name}`} onClick={() => files.cancel(id)}>
          <Icon name="close" /> {common("cancel")}
        </button>
      )}
      {phase === "stopped" && (
        <button type="button" aria-label={`${common("remove")}: ${name}`} onClick={() => (void files.dismiss(id), gone())}>
          <Icon name="remove" /> {common("remove")}
        </button>
      )}
      {phase === "done" && (
        <a class="button" href={link("history", id)} aria-label={`${t("open")}: ${name}`}>
          {t("open")}
        </a>
      )}
    </div>
  );
}

function Trouble({ job }: { job: Job }) {
  const { fault } = job;
  return (
    <>
      {!job.isKept && job.phase !== "done" && <p class="trouble">{t("notKept")}</p>}
      {fault && fault.kind !== "cancelled" && (
        <p class="trouble" role={job.phase === "stopped" ? "alert" : undefined}>
          <Icon name="warning" />
          <span>
            {described(job)}{" "}
            {(fault.kind === "key" || fault.kind === "settings") && <a href={link("settings")}>{common("settings")}</a>}
            {fault.message && <span class="said">{t("said", { message: fault.message })}</span>}
          </span>
        </p>
      )}
    </>
  );
}

function described({ fault, phase, bytes }: Job): string {
  const limits = server.value?.recordings;
  switch (fault!.kind) {
    case "tooLarge":
      return t("tooLarge", { size: size(bytes), most: limits ? size(limits.most_bytes) : "?" });
    case "tooLong":
      return t("tooLong", { hours: limits ? hours(limits.most_s) : "?" });
    case "empty":
      return t("emptyFile");
    case "lost":
      return t(phase === "stopped" ? "lostForGood" : "lost");
    default:
      return t(fault!.kind);
  }
}
