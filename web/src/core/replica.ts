// What a tablet holds of the depot, as plain rows, and how pages of the server and its own waiting operations change
// them (docs/CRDT_SYNC.md §2 and §4). Nothing here reads or writes anything.

type Json = unknown;
export type Row = Record<string, Json>;

/** An item of a list whose items have names: a step of the checklist, a finding, a used part. */
export interface Item {
  key: string;
  [field: string]: Json;
}

/** An operation as `POST /sync/crdt/sync` takes it. */
export interface Operation {
  id: string;
  entity_type: string;
  entity_id: string;
  field: string;
  op?: "set" | "put" | "insert" | "remove" | "drop";
  value?: Json;
  key?: string;
  timestamp: string;
}

interface Told {
  value?: Json;
  items?: ToldItem[];
  items_changed?: ToldItem[];
  items_removed?: string[];
  added?: Json[];
  removed?: Json[];
}
interface ToldItem {
  key: string;
  fields: Record<string, { value: Json }>;
}

const items = (row: Row, name: string): Item[] => (row[name] as Item[] | undefined) ?? [];

const plain = ({ key, fields }: ToldItem, before: Item | undefined): Item => ({
  ...before,
  ...Object.fromEntries(Object.entries(fields).map(([name, told]) => [name, told.value])),
  key,
});

function upserted(list: Item[], item: Item): Item[] {
  return list.some((one) => one.key === item.key) ? list.map((one) => (one.key === item.key ? item : one)) : [...list, item];
}

/** A row after a page told of these fields: a field comes whole, or as what changed in it. */
export function merged(row: Row, fields: Record<string, Json>): Row {
  const next = { ...row };
  for (const [name, given] of Object.entries(fields)) {
    const told = given as Told;
    if (told.items) {
      next[name] = told.items.map((item) => plain(item, undefined));
    } else if (told.items_changed || told.items_removed) {
      let list = items(next, name).filter((item) => !told.items_removed?.includes(item.key));
      for (const item of told.items_changed ?? []) {
        list = upserted(list, plain(item, list.find((one) => one.key === item.key)));
      }
      next[name] = list;
    } else if (told.added || told.removed) {
      const kept = ((next[name] as Json[] | undefined) ?? []).filter((member) => !told.removed?.includes(member));
      next[name] = [...kept, ...(told.added ?? []).filter((member) => !kept.includes(member))];
    } else {
      next[name] = told.value;
    }
  }
  return next;
}

/** A row as its user sees it: with the operations that the server does not have yet. */
export function overlaid(row: Row, operations: Operation[]): Row {
  return operations.reduce((next, operation) => {
    const { field, op = "set", value, key } = operation;
    if (op === "put" && key !== undefined) {
      const list = items(next, field);
      const before = list.find((item) => item.key === key);
      return { ...next, [field]: upserted(list, { ...before, ...(value as Row), key }) };
    }
    if (op === "drop") return { ...next, [field]: items(next, field).filter((item) => item.key !== key) };
    if (op === "set") return { ...next, [field]: value };
    return next;
  }, row);
}
