/** What is the matter, quietly and away from the captions; and what a person has to do before there are any. */

import type { ComponentChildren } from "preact";

import { t } from "../i18n/captions";
import { t as common } from "../i18n/common";
import { t as liveText } from "../i18n/live";
import { enter, finals, hasSpoken, isLive, partial, watching } from "../store/captions";
import { keepsNothing } from "../store/database";
import * as live from "../store/live";
import { mistakes, room } from "../store/look";
import { Notice } from "./notice";

const LOST = {
  lost: "viewerLost",
  unreachable: "viewerUnreachable",
  offline: "viewerOffline",
  restarting: "viewerRestarting",
  full: "viewerFull",
} as const;

/** A line that changes by itself. */
function Quiet({ children }: { children: ComponentChildren }) {
  return (
    <div class="quiet-status" role="status">
      {children}
    </div>
  );
}

function Mistakes() {
  return (
    <>
      {mistakes.map((each) => (
        <span key={each.name}>{t("mistake", { ...each })}</span>
      ))}
    </>
  );
}

export function RoomStatus() {
  const now = watching.value;
  if (now.kind === "refused") return <Refused why={now.why} />;
  return (
    <Quiet>
      <Mistakes />
      {now.kind === "connecting" && !finals.value.length && <span>{t("connecting")}</span>}
      {now.kind === "waiting" && <span>{t(LOST[now.why])}</span>}
      {now.kind === "watching" && !isLive.value && <span>{t(hasSpoken.value ? "gone" : "waiting")}</span>}
      {now.kind === "watching" && isLive.value && isSilent() && <span>{t("ready")}</span>}
    </Quiet>
  );
}

const isSilent = () => !finals.value.length && !partial.value;

function Refused({ why }: { why: "name" | "key" | "off" }) {
  if (why !== "key") return <Notice kind="fault">{why === "name" ? t("badName", { name: room ?? "" }) : t("off")}</Notice>;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    enter(String(new FormData(event.currentTarget as HTMLFormElement).get("key")).trim());
  };
  return (
    <Notice kind="fault">
      <form class="key" onSubmit={submit}>
        <p>{t("keyNeeded", { name: room ?? "" })}</p>
        <label>
          <span>{t("key")}</span>
          <input type="password" name="key" required autocomplete="off" />
        </label>
        <button>{t("keyGo")}</button>
      </form>
    </Notice>
  );
}

export function OwnStatus() {
  const now = live.status.value;
  const outage = live.outage.value;
  const isRecording = live.phase.value === "recording";
  return (
    <Quiet>
      <Mistakes />
      {live.recovering.value && <span>{liveText("recovering", { title: live.recovering.value.title })}</span>}
      {isRecording && outage && <span>{t(outage.why === "offline" || outage.why === "full" ? outage.why : "reconnecting")}</span>}
      {isRecording && live.isMute.value && <span>{liveText("mute")}</span>}
      {isRecording && now.kind === "live" && live.isBehind.value && <span>{liveText("catchingUp")}</span>}
      {isRecording && now.kind === "live" && isSilent() && <span>{t("hearing")}</span>}
      {live.phase.value === "finishing" && <span>{liveText("finishing")}</span>}
      {keepsNothing.value && <span>{common("noStore")}</span>}
      {live.fault.value && <span>{live.fault.value.message}</span>}
    </Quiet>
  );
}

/** Before anything is said: what this is, and the button. */
export function Begin() {
  const phase = live.phase.value;
  const trouble = live.trouble.value;
  if (phase === "recording" || phase === "finishing") return null;
  return (
    <div class="begin">
      {trouble && (
        <Notice kind="fault">
          {liveText(trouble)} {trouble === "key" && <a href="./#/settings">{t("toSettings")}</a>}
        </Notice>
      )}
      <button type="button" class="record" onClick={live.toggle} disabled={phase === "opening"} title="R">
        <span class="dot" /> {t("begin")}
      </button>
      {live.finished.value ? (
        <p>
          {t("stopped")} <a href={`./#/history/${live.finished.value}`}>{t("toHistory")}</a>
        </p>
      ) : (
        <p>{t("beginMore")}</p>
      )}
    </div>
  );
}
