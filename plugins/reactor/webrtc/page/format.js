// SPDX-License-Identifier: LGPL-2.1-or-later
// Numbers and times as the page writes them, and the two statistics it needs. No state.

/** The value below which the share `q` (0…1) of an ascending array lies; NaN for an empty one. */
export function quantile(sorted, q) {
  if (sorted.length === 0) return NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

export const ascending = (values) => Float64Array.from(values).sort();

/** Milliseconds, as few digits as say something: "8.3 ms", "417 ms", "1.25 s". */
export function ms(value) {
  if (!Number.isFinite(value)) return '–';
  if (value >= 1000) return `${(value / 1000).toFixed(value >= 10000 ? 1 : 2)} s`;
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}

export function fixed(value, digits) {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

export function bitrate(bitsPerSecond) {
  if (!Number.isFinite(bitsPerSecond)) return '–';
  if (bitsPerSecond >= 1e6) return `${(bitsPerSecond / 1e6).toFixed(bitsPerSecond >= 1e7 ? 1 : 2)} Mbit/s`;
  return `${(bitsPerSecond / 1e3).toFixed(0)} kbit/s`;
}

export function percent(share) {
  if (!Number.isFinite(share)) return '–';
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** Local wall-clock time with milliseconds, for the log. */
export function clockTime(date) {
  const two = (n) => String(n).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** "set_prompt" → "Set prompt". */
export function title(name) {
  const words = String(name).replace(/([a-z])([A-Z])/g, '$1 $2').replace(/[_-]+/g, ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Bytes of `text` in UTF-8. */
export const utf8Length = (text) => new TextEncoder().encode(text).length;
