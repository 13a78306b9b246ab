/** A transcript as a file, in one of several forms, or its sound. */

import { useEffect, useRef } from "preact/hooks";

import { t } from "../i18n/history";
import type { Segment, Transcript } from "../store/database";
import { paragraphS } from "../store/settings";
import { soundOf } from "../store/sound";
import { fileName, FORMATS, type Format } from "../text/export";
import { download } from "./download";
import { Icon } from "./icon";

interface Properties {
  transcript: Transcript;
  segments: () => Segment[];
  hasSound: boolean;
}

export function Exports({ transcript, segments, hasSound }: Properties) {
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const leave = ({ target }: Event) => menu.current?.contains(target as Node) || menu.current?.removeAttribute("open");
    addEventListener("click", leave);
    return () => removeEventListener("click", leave);
  }, []);
  const close = () => {
    menu.current!.open = false;
    menu.current!.querySelector("summary")!.focus();
  };
  const write = (format: Format) => {
    const { type, write } = FORMATS[format];
    download(new Blob([write(transcript, segments(), paragraphS.value)], { type }), fileName(transcript.title, format));
    close();
  };
  const give = async () => {
    close();
    const sound = await soundOf(transcript);
    if (sound) download(sound, sound instanceof File ? sound.name : fileName(transcript.title, "wav"));
  };
  return (
    <details class="menu" ref={menu} onKeyDown={(event) => event.key === "Escape" && close()}>
      <summary class="button">
        <Icon name="download" /> {t("export")}
      </summary>
      <div class="menu-items">
        {(Object.keys(FORMATS) as Format[]).map((format) => (
          <button type="button" class="plain" key={format} onClick={() => write(format)}>
            {t(format)}
          </button>
        ))}
        {hasSound && (
          <button type="button" class="plain" onClick={() => void give()}>
            {t("sound")}
          </button>
        )}
      </div>
    </details>
  );
}
