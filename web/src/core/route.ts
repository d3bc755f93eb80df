// Where one is: the address holds the page and its filters, so that a link shows what its sender saw.
import { computed, signal } from "@preact/signals";

const BASE = "/app/";

const address = signal(location.href);
addEventListener("popstate", () => (address.value = location.href));

/** The page's name, `fleet`, and what it is about, `vehicle/5110` → `["vehicle", "5110"]`. */
export const path = computed(() => {
  const rest = new URL(address.value).pathname.slice(BASE.length);
  return rest.split("/").filter(Boolean).map(decodeURIComponent);
});

/** The filters in the address. */
export const filters = computed(() => new URL(address.value).searchParams);

/** The address of a page; parts are escaped, since ids hold slashes and blanks. */
export function href(parts: string[], query: Record<string, string> = {}): string {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  return BASE + parts.map(encodeURIComponent).join("/") + (search ? `?${search}` : "");
}

/** Goes to a page. */
export function go(to: string): void {
  history.pushState(null, "", to);
  address.value = location.href;
  document.getElementById("content")?.focus({ preventScroll: true });
  scrollTo(0, 0);
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
