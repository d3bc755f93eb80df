// Events of the log in a table: the columns that pages have in common, what an event is about, and who caused it.
import type { ComponentChildren } from "preact";
import { useAsked } from "../core/query";
import { href } from "../core/route";
import { may } from "../core/session";
import { type Key, number, t, time, word } from "../i18n";
import { ProofBadge } from "./proof";
import type { Column } from "./ui";
import { Details } from "./values";

/** As much of an event as the columns show. */
interface Told {
  position: number;
  occurred_at: string;
  event_type: string;
  aggregate_type: string;
  aggregate_id: string;
  data: Record<string, unknown>;
}

const COLUMNS = {
  position: ["audit.position", (event) => number(event.position)],
  when: ["history.when", (event) => time(event.occurred_at)],
  what: ["history.what", (event) => word("event", event.event_type)],
  about: ["audit.about", (event) => <Subject type={event.aggregate_type} id={event.aggregate_id} />],
  details: ["history.details", (event) => <Details data={event.data} />],
  proof: ["history.proof", (event) => <ProofBadge position={event.position} />],
} satisfies Record<string, [Key, (event: Told) => ComponentChildren]>;

/** Columns by name, in the order in which they are asked for. */
export function told(...names: (keyof typeof COLUMNS)[]): Column<Told>[] {
  return names.map((name) => ({ name: t(COLUMNS[name][0]), cell: COLUMNS[name][1], number: name === "position" }));
}

/** Where an event's subject has a page of its own. */
export function Subject({ type, id }: { type: string; id: string }) {
  const name = `${word("thing", type)} ${id.length > 20 ? id.slice(0, 8) : id}`;
  if (type === "Vehicle") return <a href={href(["vehicle", id])}>{name}</a>;
  if (type === "WorkOrder") return <a href={href(["order", id])}>{name}</a>;
  return <>{name}</>;
}

/** Names of accounts, for those who may read them. */
export function useAccountNames(): (id: unknown) => string {
  const asked = useAsked<{ users: { id: string; username: string }[] }>(may("FLEET_MANAGER") ? "/users" : null, {}, false);
  const names = new Map((asked.value?.users ?? []).map((user) => [user.id, user.username]));
  return (id) => (typeof id === "string" ? (names.get(id) ?? id.slice(0, 8)) : "–");
}
