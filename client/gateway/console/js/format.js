// Numbers and times for people. Pure.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes, in the unit that suits: "1.5 MiB". */
export function bytes(count) {
  let value = Number(count) || 0;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** "1 store", "2,000 stores". */
export function count(number, word) {
  return `${Number(number).toLocaleString("en")} ${word}${Number(number) === 1 ? "" : "s"}`;
}

/** A point in time in the reader's own zone; "never" where there is none. */
export function time(value, absent = "never") {
  if (value === null || value === undefined || value === "") return absent;
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return absent;
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

const STEPS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60]];

/** How long ago, or until when: "3 minutes ago", "in 2 days". */
export function ago(value, now = Date.now(), absent = "never") {
  if (value === null || value === undefined || value === "") return absent;
  const seconds = (new Date(value).getTime() - now) / 1000;
  if (Number.isNaN(seconds)) return absent;
  for (const [unit, length] of STEPS) {
    const amount = Math.trunc(seconds / length);
    if (amount !== 0) return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(amount, unit);
  }
  return seconds > 0 ? "in a moment" : "just now";
}

/** The first 8 and last 4 characters of what is too long to read. */
export function short(text, limit = 20) {
  return text.length > limit ? `${text.slice(0, 8)}…${text.slice(-4)}` : text;
}

/** What a program says begins small: here it is a sentence of its own. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** What was done, as a person would say it: "/vault.v1.Keys/Rotate" is "Keys: rotate". */
export function deed(action) {
  const [, service, method] = /^\/vault\.v1\.(\w+)\/(\w+)$/.exec(action) ?? [];
  const words = (name) => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
  return sentence(service ? `${service}: ${words(method)}` : action);
}

/** A share of a whole, from 0 to 100. */
export function percent(done, total) {
  return total > 0 ? Math.min(100, Math.max(0, (100 * done) / total)) : 0;
}
