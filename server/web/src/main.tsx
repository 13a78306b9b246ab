/** The page: navigation, what is the matter with the server, and the view that is chosen. */

import { effect } from "@preact/signals";
import { render, type ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { language } from "./i18n";
import { t } from "./i18n/common";
import { Icon } from "./parts/icon";
import { Notice } from "./parts/notice";
import { detail, link, view, type View } from "./parts/route";
import { keepsNothing } from "./store/database";
import { recover } from "./store/live";
import { ask, isUnreachable, needsKey, server } from "./store/server";
import { contrast, theme } from "./store/settings";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/live.css";
import "./styles/files.css";
import "./styles/history.css";
import "./styles/settings.css";
import { Files } from "./views/files";
import { History } from "./views/history";
import { Live } from "./views/live";
import { Settings } from "./views/settings";

const VIEWS: Record<View, ComponentType> = { live: Live, files: Files, history: History, settings: Settings };

/** Whoever followed a link begins at the heading of what it leads to, and hears it, unless something there has taken the focus. */
function useHeading(): void {
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current && document.activeElement?.matches("body, nav a, .brand")) {
      if (view.value !== "live") scrollTo(0, 0);
      const heading = document.querySelector<HTMLElement>("main h1");
      heading?.setAttribute("tabindex", "-1");
      heading?.focus({ preventScroll: true });
    }
    isFirst.current = false;
  }, [view.value, detail.value]);
}

function App() {
  useHeading();
  const Shown = VIEWS[view.value];
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        {t("skip")}
      </a>
      <header class="rail">
        <a class="brand" href={link("live")}>
          <img src="./icon.svg" alt="" width="28" height="28" />
          <span>Stenoline</span>
        </a>
        <nav aria-label={t("navigation")}>
          {(Object.keys(VIEWS) as View[]).map((name) => (
            <a href={link(name)} aria-current={view.value === name ? "page" : undefined}>
              <Icon name={name} />
              <span>{t(name)}</span>
            </a>
          ))}
          <a href="captions" class="outside">
            <Icon name="captions" />
            <span>{t("captions")}</span>
          </a>
        </nav>
        {server.value && <p class="model">{t("model", { name: server.value.model })}</p>}
      </header>
      <main id="main" tabIndex={-1}>
        {isUnreachable.value && <Notice kind="fault">{t("unreachable")}</Notice>}
        {keepsNothing.value && <Notice kind="fault">{t("noStore")}</Notice>}
        {needsKey.value && view.value !== "settings" && (
          <Notice kind="fault">
            {t("keyNeeded")} <a href={link("settings")}>{t("keyNeededAction")}</a>
          </Notice>
        )}
        <Shown />
      </main>
    </>
  );
}

effect(() => {
  const root = document.documentElement;
  root.lang = language.value === "zh" ? "zh-Hans" : "en";
  root.dataset.theme = theme.value;
  root.dataset.contrast = contrast.value;
});
effect(() => {
  document.title = view.value === "live" ? "Stenoline" : `${t(view.value)} · Stenoline`;
});

render(<App />, document.getElementById("app")!);
void ask();
void recover();
