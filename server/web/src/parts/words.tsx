/** Words, marked by how sure the model is of them where that is asked for. */

import { t } from "../i18n/live";
import type { Word } from "../protocol/messages";
import { showsConfidence } from "../store/settings";

/** 0: sure; 3: hardly more than a guess. */
export function doubt(confidence: number): 0 | 1 | 2 | 3 {
  return confidence >= 0.9 ? 0 : confidence >= 0.7 ? 1 : confidence >= 0.5 ? 2 : 3;
}

export function Words({ words }: { words: Word[] }) {
  if (!showsConfidence.value) return <>{words.map((word) => word.text).join("")}</>;
  return (
    <>
      {words.map((word) => (
        <span class={`doubt${doubt(word.confidence)}`} title={t("sure", { n: Math.round(word.confidence * 100) })}>
          {word.text}
        </span>
      ))}
    </>
  );
}
