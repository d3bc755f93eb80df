// The log's values as people read them: times as times, words of the API in the reader's language, ids short.
import { date, isMidnight, number, t, time, word } from "../i18n";

const WORDS: Record<string, string> = { status: "status", old_status: "status", new_status: "status", priority: "priority", type: "task", maintenance_type: "task", move_type: "move" };
/** Numbers that are no amounts, so that a year does not read as 1,997. */
const PLAIN = new Set(["year"]);
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-/;

export function text(value: unknown, field = ""): string {
  if (value === undefined || value === null || value === "") return "–";
  if (typeof value === "boolean") return t(value ? "value.yes" : "value.no");
  if (typeof value === "number") return PLAIN.has(field) ? String(value) : number(value, 2);
  if (typeof value === "string") {
    if (/^\d{4}-\d\d-\d\dT/.test(value)) return field.endsWith("_date") && isMidnight(value) ? date(value) : time(value);
    if (UUID.test(value)) return value.slice(0, 8);
    const prefix = WORDS[field];
    if (prefix === "status") return word("status", value) === value.replaceAll("_", " ") ? word("order-status", value) : word("status", value);
    return prefix ? word(prefix, value) : value;
  }
  if (Array.isArray(value)) return value.map((one) => text(one)).join(", ");
  return Object.entries(value as Record<string, unknown>).map(([name, inner]) => `${word("field", name)} ${text(inner, name)}`).join(", ");
}

/** Characters of a value in a line of details; the audit's export has it whole. */
const SHOWN_MAX = 90;
const short = (told: string): string => (told.length > SHOWN_MAX ? `${told.slice(0, SHOWN_MAX)} …` : told);

export function Details({ data }: { data: Record<string, unknown> }) {
  const shown = Object.entries(data).filter(([, value]) => value !== null && value !== "").slice(0, 6);
  return <span class="details">{shown.map(([name, value], index) => <span>{index > 0 && ", "}<span class="small">{word("field", name)}</span> {short(text(value, name))}</span>)}</span>;
}
