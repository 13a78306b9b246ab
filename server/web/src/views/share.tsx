/** A link under which others read along. */

import { useSignal } from "@preact/signals";

import { t as common } from "../i18n/common";
import { t } from "../i18n/live";
import { Icon } from "../parts/icon";
import * as live from "../store/live";
import { server } from "../store/server";

const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;

export function Share() {
  const room = live.room.value;
  if (server.value?.captions === false) return null;
  if (!room) {
    return (
      <button type="button" onClick={live.share} disabled={live.phase.value === "finishing"} title={t("shareHelp")}>
        <Icon name="share" /> {t("share")}
      </button>
    );
  }
  return <Shared url={new URL(`captions?room=${room.name}`, location.href).href} />;
}

function Shared({ url }: { url: string }) {
  const isCopied = useSignal(false);
  const copy = async (event: Event) => {
    const box = (event.currentTarget as Element).parentElement?.querySelector("input");
    box?.select();
    await navigator.clipboard?.writeText(url).catch(() => undefined);
    isCopied.value = true;
  };
  return (
    <span class="shared">
      <input type="text" readOnly value={url} aria-label={t("link")} onFocus={(event) => event.currentTarget.select()} />
      <button type="button" onClick={copy}>
        {isCopied.value ? common("copied") : common("copy")}
      </button>
      <a class="button" href={url} target="_blank" rel="noopener">
        {t("fullscreen")}
      </a>
      <span role="status">{live.phase.value === "recording" && t("sharing", { n: live.viewers.value })}</span>
      <button type="button" onClick={live.unshare}>
        {t("unshare")}
      </button>
      {LOOPBACK.test(location.hostname) && <small>{t("onlyHere")}</small>}
    </span>
  );
}
