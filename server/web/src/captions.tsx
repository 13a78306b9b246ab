/** The page of captions: for a screen, a telephone, or a browser source. */

import { effect } from "@preact/signals";
import { render } from "preact";

import { t } from "./i18n/captions";
import { recover } from "./store/live";
import { room } from "./store/look";
import { ask } from "./store/server";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/captions.css";
import "./styles/tools.css";
import { Captions } from "./views/captions";

effect(() => {
  document.title = `${t("title")} · Stenoline`;
});

render(<Captions />, document.getElementById("app")!);
if (room === null) {
  void ask();
  void recover();
}
