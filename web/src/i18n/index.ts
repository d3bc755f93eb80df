// Texts in the reader's language, and numbers and times as that language writes them.
import { signal } from "@preact/signals";
import de from "./de.json";
import en from "./en.json";

export type Key = keyof typeof en;
export type Language = "de" | "en";
type Texts = Record<Key, string>;

/** The build makes files of the texts and leaves their names here; a test that bundles them finds the texts themselves. */
const sources: Record<Language, Texts | string> = { de, en };
const texts: Partial<Record<Language, Texts>> = {};

function chosen(): Language {
  const kept = localStorage.getItem("railfleet.language");
  if (kept === "de" || kept === "en") return kept;
  return navigator.language.startsWith("de") ? "de" : "en";
}

export const language = signal<Language>(chosen());

/** Makes sure that a language's texts are here. The service worker keeps both, so this needs no network later. */
export async function loadTexts(wanted: Language): Promise<void> {
  const source = sources[wanted];
  texts[wanted] ??= typeof source === "string" ? ((await (await fetch(source)).json()) as Texts) : source;
}

export async function speak(next: Language): Promise<void> {
  await loadTexts(next);
  localStorage.setItem("railfleet.language", next);
  document.documentElement.lang = next;
  language.value = next;
}

const here = (key: Key): string | undefined => texts[language.value]?.[key];

/** A text, its `{name}`s filled in. */
export function t(key: Key, fill: Record<string, string | number> = {}): string {
  let text = here(key) ?? key;
  for (const [name, value] of Object.entries(fill)) text = text.replaceAll(`{${name}}`, String(value));
  return text;
}

/** The text for a word of the API (`in_workshop`), or the word itself where there is none. */
export function word(prefix: string, value: string | null | undefined): string {
  if (!value) return "–";
  const key = `${prefix}.${value}` as Key;
  return here(key) ?? value.replaceAll("_", " ");
}

/** Words of the API of one kind, in their order: those that there are texts for. */
export const words = (prefix: string): string[] =>
  Object.keys(texts[language.value] ?? {}).flatMap((key) => (key.startsWith(`${prefix}.`) ? [key.slice(prefix.length + 1)] : []));

const locale = (): string => (language.value === "de" ? "de-DE" : "en-GB");

export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits, minimumFractionDigits: 0 }).format(value);
}

export function money(value: number | string | null | undefined, currency = "EUR"): string {
  if (value === null || value === undefined || value === "") return "–";
  return new Intl.NumberFormat(locale(), { style: "currency", currency, maximumFractionDigits: 0 }).format(Number(value));
}

export const DAY_MS = 86_400_000;
/** The day of a time in UTC, as addresses and the API have it: `2026-03-29`. */
export const iso = (at: number | string | Date): string => new Date(at).toISOString().slice(0, 10);

const DATE_ONLY = /^\d{4}-\d\d-\d\d$/;
const MIDNIGHT = /T00:00(:00(\.0+)?)?Z$/;
/** Whether a time is midnight UTC: what was given as a date comes so. */
export const isMidnight = (time: string): boolean => MIDNIGHT.test(time);

type Time = string | number | Date | null | undefined;

function formatted(value: Time, form: Intl.DateTimeFormatOptions): string {
  const at = new Date(value || NaN);
  return Number.isNaN(at.getTime()) ? "–" : new Intl.DateTimeFormat(locale(), form).format(at);
}

/** The day of a time, in the reader's zone; a date without a time, `2026-03-29`, is that day in every zone. */
export function day(value: Time): string {
  const isDate = typeof value === "string" && DATE_ONLY.test(value);
  return formatted(value, { dateStyle: "medium", timeZone: isDate ? "UTC" : undefined });
}

/** The day of a `due_date` and its like: one that was given without a time of day comes as midnight UTC, and is that day. */
export const date = (value: string | null | undefined): string => day(value?.replace(MIDNIGHT, ""));

/** The day of the week, short. */
export const weekday = (value: Time): string => formatted(value, { weekday: "short", timeZone: "UTC" });

/** `2026-05` as a short month, with or without its year. */
export const monthName = (month: string, withYear: boolean): string => formatted(`${month}-01T00:00:00Z`, { month: "short", ...(withYear ? { year: "2-digit" } : {}), timeZone: "UTC" });

/** A point of a time axis whose points are `gap` seconds apart: the month, with its year where that begins, or the day. */
export function axisTime(at: number, gap: number, isFirst: boolean): string {
  const withYear = isFirst || new Date(at).getMonth() === 0;
  return formatted(at, gap >= 300 * 86_400 ? { year: "numeric" } : gap >= 27 * 86_400 ? { month: "short", ...(withYear ? { year: "2-digit" } : {}) } : { day: "numeric", month: "short" });
}

export const time = (value: Time): string => formatted(value, { dateStyle: "medium", timeStyle: "short" });

/** How long ago, or how long until: `in 3 days`. */
export function relative(value: string | Date | null | undefined): string {
  if (!value) return "–";
  const seconds = (new Date(value).getTime() - Date.now()) / 1000;
  const form = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  const steps: [number, Intl.RelativeTimeFormatUnit][] = [
    [60, "second"],
    [3_600, "minute"],
    [86_400, "hour"],
    [604_800, "day"],
    [2_629_800, "week"],
    [31_557_600, "month"],
    [Infinity, "year"],
  ];
  let size = 1;
  for (const [limit, unit] of steps) {
    if (Math.abs(seconds) < limit) return form.format(Math.round(seconds / size), unit);
    size = limit;
  }
  return "–";
}

/** A number as people type it, with a comma or a point; `null` when it is none. */
export function typed(text: string): number | null {
  const plain = text.trim().replaceAll(" ", "");
  const value = Number(plain.includes(",") ? plain.replaceAll(".", "").replace(",", ".") : plain);
  return plain !== "" && Number.isFinite(value) ? value : null;
}
