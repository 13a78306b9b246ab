/** A transcript to correct: a field for each segment, saved at each keystroke, so that nothing typed is lost. */

import { useEffect, useRef } from "preact/hooks";

import type { Playhead } from "../audio/playhead";
import { clock } from "../i18n";
import { t } from "../i18n/history";
import type { Segment } from "../store/database";
import { retimed } from "../text/retime";

interface Properties {
  segments: Segment[];
  head: Playhead | null;
  save: (segment: Segment) => void;
}

export function Editor({ segments, head, save }: Properties) {
  return (
    <div class="editor">
      <p class="hint">{t("editHelp")}</p>
      {segments.map((segment) => (
        <Field key={segment.number} segment={segment} head={head} save={save} />
      ))}
    </div>
  );
}

function Field({ segment, head, save }: { segment: Segment; head: Playhead | null; save: (segment: Segment) => void }) {
  const before = useRef(segment); // as it was when editing began: what is typed in again finds its times there
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => fit(box.current!), []);
  const time = clock(segment.start);
  const typed = (element: HTMLTextAreaElement) => {
    fit(element);
    const { words, start, end } = before.current;
    const text = element.value.trim().replace(/\s+/g, " ");
    save({ ...segment, text, words: retimed(words, text, start, end) });
  };
  return (
    <div class="paragraph">
      <button
        type="button"
        class="plain time"
        disabled={!head}
        aria-label={t("playFrom", { time })}
        onClick={() => (head?.seek(segment.start), void head?.play())}
      >
        {time}
      </button>
      <textarea
        ref={box}
        rows={1}
        lang={segment.language || undefined}
        aria-label={t("segmentAt", { time })}
        defaultValue={segment.text}
        onInput={(event) => typed(event.currentTarget)}
      />
    </div>
  );
}

/** As high as its text, where the browser does not see to that. */
function fit(element: HTMLTextAreaElement): void {
  if (CSS.supports("field-sizing", "content")) return;
  element.style.height = "auto";
  element.style.height = `${element.scrollHeight + 2}px`;
}
