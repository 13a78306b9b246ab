/** A transcript to read along: paragraphs of words, each of which leads to its place in the sound. */

import { useEffect, useRef } from "preact/hooks";

import type { Playhead } from "../audio/playhead";
import { clock } from "../i18n";
import { t } from "../i18n/history";
import { t as live } from "../i18n/live";
import type { Word } from "../protocol/messages";
import type { Segment } from "../store/database";
import { paragraphS, showsConfidence } from "../store/settings";
import { paragraphs, seam } from "../text/paragraphs";
import { Spoken } from "./spoken";
import { doubt } from "./words";

interface Properties {
  segments: Segment[];
  head: Playhead | null;
  place: number | null; // segment that was asked for
}

export function Reading({ segments, head, place }: Properties) {
  const box = useRef<HTMLDivElement>(null);
  const spoken = useRef<Spoken | null>(null);
  const said = segments.filter((each) => each.text.trim());
  useEffect(() => {
    const elements = [...box.current!.querySelectorAll<HTMLElement>(".word")];
    const now = new Spoken(
      elements,
      said.flatMap((each) => each.words),
    );
    spoken.current = now;
    return head?.position.subscribe((at) => now.mark(at, head.isPlaying.peek()));
  }, [segments, head, showsConfidence.value, paragraphS.value]);
  usePlace(
    box,
    head,
    said.find((each) => each.number === place),
  );

  const go = (element: Element) => {
    const word = spoken.current!.index(element);
    spoken.current!.reach(word)?.focus({ preventScroll: true });
    head?.seek(spoken.current!.start(word));
  };
  const press = (event: KeyboardEvent) => {
    const word = spoken.current!.index(event.target as Element);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (word < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter") go(event.target as Element);
    else if (step) spoken.current!.reach(word + step)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      class="reading"
      ref={box}
      onKeyDown={press}
      onClick={(event) => isWord(event.target) && getSelection()?.isCollapsed && go(event.target)}
    >
      {paragraphs(said, paragraphS.value).map((each) => (
        <Paragraph key={each[0]!.number} segments={each} head={head} />
      ))}
    </div>
  );
}

const isWord = (target: EventTarget | null): target is Element => target instanceof Element && target.matches(".word");

/** Shows the segment that was looked for, and goes there in the sound. */
function usePlace(box: { current: HTMLElement | null }, head: Playhead | null, segment: Segment | undefined): void {
  useEffect(() => {
    if (!segment) return;
    const element = box.current?.querySelector(`[data-segment="${segment.number}"]`);
    element?.scrollIntoView({ block: "center" });
    element?.classList.add("looked-for");
    head?.seek(segment.start);
  }, [segment?.number, head]);
}

function Paragraph({ segments, head }: { segments: Segment[]; head: Playhead | null }) {
  const { start } = segments[0]!;
  const time = clock(start);
  return (
    <div class="paragraph">
      {head ? (
        <button
          type="button"
          class="plain time"
          aria-label={t("playFrom", { time })}
          onClick={() => (head.seek(start), void head.play())}
        >
          {time}
        </button>
      ) : (
        <span class="time">{time}</span>
      )}
      <p>
        {segments.map((segment, i) => (
          <span key={segment.number} data-segment={segment.number} lang={segment.language || undefined}>
            {i > 0 && seam(segments[i - 1]!.text, segment.text)}
            {segment.words.map((word, n) => (
              <Spaced word={word} isFirst={n === 0} />
            ))}
          </span>
        ))}
      </p>
    </div>
  );
}

/** The space stands outside, so that the mark of the spoken word does not cover it. */
function Spaced({ word, isFirst }: { word: Word; isFirst: boolean }) {
  const text = word.text.trimStart();
  const isMarked = showsConfidence.value;
  return (
    <>
      {!isFirst && word.text.length > text.length && " "}
      <span
        class={`word ${isMarked ? `doubt${doubt(word.confidence)}` : ""}`}
        tabIndex={-1}
        title={isMarked ? live("sure", { n: Math.round(word.confidence * 100) }) : undefined}
      >
        {text}
      </span>
    </>
  );
}
