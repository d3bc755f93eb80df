// Where one is: the address holds the page and its filters, so that a link shows what its sender saw.
import { computed, signal } from "@preact/signals";

const BASE = "/app/";

const address = signal(location.href);
addEventListener("popstate", () => (address.value = location.href));

/** The page's name, `fleet`, and what it is about, `vehicle/5110` → `["vehicle", "5110"]`. */
export const path = computed(() => {
  const rest = new URL(address.value).pathname.slice(BASE.length);
  return rest.split("/").filter(Boolean).map(unescaped);
});

/** A part of a path as it was before it was escaped; one that nobody escaped, `100%`, is what it is. */
function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const filters = computed(() => new URL(address.value).searchParams);

/** A filter in the address; empty where it is not set. */
export const filter = (name: string): string => filters.value.get(name) ?? "";

/** The day that a filter holds, from its beginning or to its end in UTC, as the API takes it; empty where it is not set. */
export const dayFrom = (name: string): string => filter(name) && `${filter(name)}T00:00:00Z`;
export const dayTo = (name: string): string => filter(name) && `${filter(name)}T23:59:59Z`;

/** The address of a page; parts are escaped, since ids hold slashes and blanks. */
export function href(parts: string[], query: Record<string, string> = {}): string {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  return BASE + parts.map(encodeURIComponent).join("/") + (search ? `?${search}` : "");
}

/** Puts the focus on what the page is about. */
export function toContent(): void {
  document.getElementById("content")?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** Goes to a page. */
export function go(to: string): void {
  history.pushState(null, "", to);
  address.value = location.href;
  toContent();
}

/** Sets filters in place; an empty one is taken away. */
export function setFilters(changes: Record<string, string>): void {
  const url = new URL(address.value);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  history.replaceState(null, "", url);
  address.value = location.href;
}

/** Lets plain clicks on links of this page go without loading it anew. */
export function interceptLinks(): void {
  document.addEventListener("click", (event) => {
    const link = (event.target as Element | null)?.closest?.("a");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    if (link.target || link.hasAttribute("download") || link.origin !== location.origin || !link.pathname.startsWith(BASE)) return;
    event.preventDefault();
    go(link.href);
  });
}
