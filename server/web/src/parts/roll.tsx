/** Caption lines that roll up: words stay where they appeared, and the newest are always in sight. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { cleared, finals, isQuiet, partial } from "../store/captions";
import { lines as wanted, position, size, theme } from "../store/look";
import { Roll, type Line } from "../text/lines";

/** What lines are laid out for. */
interface Frame {
  width: number; // px
  height: number;
  line: number; // of one line
  font: string;
}

const MOST = 60; // finals that are laid out again when the frame changes
const canvas = document.createElement("canvas").getContext("2d")!;

export function Captions() {
  const space = useRef<HTMLDivElement>(null);
  const frame = useFrame(space);
  return (
    <div ref={space} class="space" aria-hidden="true">
      {frame && <Lines frame={frame} />}
    </div>
  );
}

/** Of the element, whenever its size or its font changes. */
function useFrame(of: { current: HTMLDivElement | null }): Frame | null {
  const frame = useSignal<Frame | null>(null);
  useEffect(() => {
    const measure = () => (frame.value = measured(of.current!));
    const observer = new ResizeObserver(measure);
    observer.observe(of.current!);
    measure();
    return () => observer.disconnect();
  }, [size.value, theme.value]);
  return frame.value;
}

function measured(element: HTMLElement): Frame {
  const style = getComputedStyle(element);
  const sides = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
  return {
    width: element.clientWidth - sides - parseFloat(style.fontSize), // punctuation may hang over the edge
    height: element.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
    line: parseFloat(style.lineHeight),
    font: `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`,
  };
}

function Lines({ frame }: { frame: Frame }) {
  const rows = rowsOf(frame);
  const roll = useRoll(frame, rows);
  const [text, firm] = present();
  const shown = roll.shown(text, firm);
  const up = position.value === "top" ? Math.min(0, rows - roll.depth) : rows - roll.depth;
  return (
    <div class={`roll ${isQuiet.value ? "quiet" : ""}`} style={{ height: `${rows * frame.line}px` }}>
      <div class="rolled" key={roll} style={{ transform: `translateY(${up * frame.line}px)` }}>
        {shown.map(({ number, line }) => (
          <p key={number} dir="auto" style={{ top: `${number * frame.line}px` }}>
            <Text line={line} />
          </p>
        ))}
      </div>
    </div>
  );
}

function Text({ line }: { line: Line }) {
  return (
    <>
      {line.text.slice(0, line.firm)}
      {line.firm < line.text.length && <span class="unstable">{line.text.slice(line.firm)}</span>}
    </>
  );
}

/** As many as are asked for, but no more than there is room for. */
function rowsOf({ height, line }: Frame): number {
  const most = Math.max(1, Math.floor(height / line));
  return wanted.value === "all" ? most : Math.min(most, Number(wanted.value));
}

/** What is being said, and how many of its characters stay. */
function present(): [string, number] {
  const { stable, unstable } = partial.value ?? { stable: [], unstable: [] };
  const firm = stable.map((word) => word.text).join("");
  return [firm + unstable.map((word) => word.text).join(""), firm.length];
}

/** Finals are laid out once, unless the frame changes. */
function useRoll(frame: Frame, rows: number): Roll {
  const kept = useRef<{ of: unknown[]; roll: Roll; last: string } | null>(null);
  const of = [frame, rows, cleared.value];
  const said = finals.value;
  let at = kept.current ? said.findLastIndex((each) => each.id === kept.current!.last) + 1 : 0;
  if (!kept.current || of.some((each, i) => each !== kept.current!.of[i]) || (kept.current.last && !at)) {
    canvas.font = frame.font;
    kept.current = { of, roll: new Roll(rows, (text) => canvas.measureText(text).width <= frame.width), last: "" };
    at = Math.max(said.findLastIndex((each) => each.id === cleared.value) + 1, said.length - MOST);
  }
  for (const { text, id } of said.slice(at)) {
    kept.current.roll.add(text);
    kept.current.last = id;
  }
  return kept.current.roll;
}
