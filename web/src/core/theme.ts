// Light, dark, or sun: the highest contrast, for the yard.
import { signal } from "@preact/signals";

export const THEMES = ["auto", "light", "dark", "sun"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "railfleet.theme";
const kept = localStorage.getItem(KEY) as Theme | null;

export const theme = signal<Theme>(kept && THEMES.includes(kept) ? kept : "auto");

export function wear(next: Theme): void {
  localStorage.setItem(KEY, next);
  document.documentElement.dataset.theme = next;
  theme.value = next;
}
