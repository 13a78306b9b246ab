/** Sizes of files, in the words of the present language. */

import { language } from ".";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** `12.3 MB`; 1,024 of each make the next, as file managers count. */
export function size(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const unit = UNITS[power]!;
  const options = { style: "unit", unit, unitDisplay: power ? "short" : "long", maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(language.value, options).format(bytes / 1024 ** power);
}
