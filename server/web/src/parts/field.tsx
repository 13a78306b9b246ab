/** Labelled controls that are bound to a setting. */

import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

export function Choice<T extends string>({ label, value, options }: { label: string; value: Signal<T>; options: [T, string][] }) {
  return (
    <label class="field">
      <span>{label}</span>
      <select value={value.value} onChange={(event) => (value.value = event.currentTarget.value as T)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Check({ label, value }: { label: string; value: Signal<boolean> }) {
  return (
    <label class="check">
      <input type="checkbox" checked={value.value} onChange={(event) => (value.value = event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

interface Range {
  label: string;
  value: Signal<number>;
  low: number;
  high: number;
  step: number;
  shown: (value: number) => string;
  help?: string;
}

export function Slider({ label, value, low, high, step, shown, help }: Range) {
  return (
    <label class="field">
      <span>
        {label} <output>{shown(value.value)}</output>
      </span>
      <input
        type="range"
        min={low}
        max={high}
        step={step}
        value={value.value}
        aria-valuetext={shown(value.value)}
        onInput={(event) => (value.value = event.currentTarget.valueAsNumber)}
      />
      {help && <small>{help}</small>}
    </label>
  );
}

export function Group({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <fieldset class="group">
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}
