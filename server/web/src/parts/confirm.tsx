/** A button for what cannot be undone: it asks once more, in its place. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

import { t } from "../i18n/common";
import { Icon, type IconName } from "./icon";

interface Properties {
  icon: IconName;
  label: string; // what the button says
  about?: string; // what it is about, for those who do not see where it stands
  question: string;
  action: string;
  act: () => void;
}

export function Confirm({ icon, label, about, question, action, act }: Properties) {
  const isAsking = useSignal(false);
  const first = useRef<HTMLButtonElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const wasAsking = useRef(false);
  useLayoutEffect(() => {
    if (isAsking.value) first.current?.focus();
    else if (wasAsking.current) opener.current?.focus();
    wasAsking.current = isAsking.value;
  }, [isAsking.value]);
  if (!isAsking.value) {
    return (
      <button type="button" ref={opener} aria-label={about && `${label}: ${about}`} onClick={() => (isAsking.value = true)}>
        <Icon name={icon} /> {label}
      </button>
    );
  }
  return (
    <span
      class="confirm"
      role="group"
      aria-label={question}
      onKeyDown={(event) => event.key === "Escape" && (isAsking.value = false)}
    >
      <span>{question}</span>
      <button type="button" ref={first} onClick={() => (isAsking.value = false)}>
        {t("cancel")}
      </button>
      <button type="button" class="danger" onClick={() => ((isAsking.value = false), act())}>
        {action}
      </button>
    </span>
  );
}
