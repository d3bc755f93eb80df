// The dashboard: which page, for whom, and the frame around it.
import { type ComponentType, render } from "preact";
import { useState } from "preact/hooks";
import { followForEver } from "./core/live";
import { href, interceptLinks, path, toContent } from "./core/route";
import { may, type Role, signOut, user } from "./core/session";
import { keepExchanging, refused, waiting } from "./core/tablet";
import { THEMES, theme, wear, type Theme } from "./core/theme";
import { type Key, language, type Language, loadTexts, speak, t } from "./i18n";
import { Audit } from "./pages/audit";
import { Costs } from "./pages/costs";
import { Dispatcher } from "./pages/dispatcher";
import { Drill } from "./pages/drill";
import { Fleet } from "./pages/fleet";
import { OrderPage } from "./pages/order";
import { Overview } from "./pages/overview";
import { PartPage, Parts } from "./pages/parts";
import { Planner } from "./pages/planning";
import { ModelPage, Predictions } from "./pages/predictions";
import { RecordPage } from "./pages/record";
import { SignIn } from "./pages/sign-in";
import { Sync } from "./pages/sync";
import { System } from "./pages/system";
import { Technician } from "./pages/technician";
import { VehiclePage } from "./pages/vehicle";
import { Workshops } from "./pages/workshops";
import { Empty } from "./parts/ui";

interface Place {
  name: string;
  least: Role;
  Page: ComponentType;
}

/** In the order of the menu. */
const PLACES: Place[] = [
  { name: "fleet", least: "VIEWER", Page: Fleet },
  { name: "overview", least: "FLEET_MANAGER", Page: Overview },
  { name: "technician", least: "TECHNICIAN", Page: Technician },
  { name: "planner", least: "DISPATCHER", Page: Planner },
  { name: "dispatcher", least: "DISPATCHER", Page: Dispatcher },
  { name: "parts", least: "TECHNICIAN", Page: Parts },
  { name: "workshops", least: "WORKSHOP_MANAGER", Page: Workshops },
  { name: "costs", least: "WORKSHOP_MANAGER", Page: Costs },
  { name: "predictions", least: "VIEWER", Page: Predictions },
  { name: "sync", least: "TECHNICIAN", Page: Sync },
  { name: "audit", least: "VIEWER", Page: Audit },
  { name: "system", least: "FLEET_MANAGER", Page: System },
];

/** Pages about one thing, which its id names; any role may read them. */
const ONE: Record<string, ComponentType<{ id: string }>> = { vehicle: VehiclePage, record: RecordPage, order: OrderPage, part: PartPage, model: ModelPage, drill: Drill };

/** The page of the menu under which each of them stands. */
const UNDER: Record<string, string> = { vehicle: "fleet", record: "fleet", drill: "fleet", part: "parts", model: "predictions" };

/** Where each role begins: at the answer to its first question. */
const START: Record<Role, string> = {
  VIEWER: "fleet",
  TECHNICIAN: "technician",
  DISPATCHER: "dispatcher",
  WORKSHOP_MANAGER: "planner",
  FLEET_MANAGER: "fleet",
  SUPER_ADMIN: "fleet",
};

function Here() {
  const [name, id] = path.value;
  const wanted = name ?? START[user.value?.role ?? "VIEWER"];
  const One = ONE[wanted];
  if (One && id !== undefined) return <One key={id} id={id} />;
  const place = PLACES.find((one) => one.name === wanted);
  if (!place) return <Empty>{t("state.nowhere")} <a href={href(["fleet"])}>{t("page.fleet")}</a></Empty>;
  if (!may(place.least)) return <Empty>{t("state.role")}</Empty>;
  return <place.Page />;
}

function App() {
  const [open, setOpen] = useState(false);
  if (user.value === null) return <SignIn />;
  const first = path.value[0] ?? START[user.value.role];
  /** Gloves: everything that can be touched is large. */
  const gloves = user.value.role === "TECHNICIAN" || first === "technician" ? "pit" : "";
  const current = UNDER[first] ?? (first === "order" ? (user.value.role === "TECHNICIAN" ? "technician" : "planner") : first);
  return (
    <>
      {/* Not by its address: that is the first page's, as the base of all addresses is. */}
      <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); toContent(); }}>{t("nav.skip")}</a>
      <header class={`top no-print ${gloves}`}>
        <button type="button" class="quiet menu" aria-expanded={open} aria-controls="menu" onClick={() => setOpen(!open)}>{t("nav.menu")}</button>
        <a class="brand" href={href([])}>RailFleet</a>
        <Queue />
        <span class="space" />
        <label class="small"><span class="hidden">{t("nav.theme")}</span>
          <select value={theme.value} onChange={(event) => wear(event.currentTarget.value as Theme)}>{THEMES.map((name) => <option value={name}>{t(`theme.${name}` as Key)}</option>)}</select>
        </label>
        <label class="small"><span class="hidden">{t("nav.language")}</span>
          <select value={language.value} onChange={(event) => void speak(event.currentTarget.value as Language)}><option value="de">Deutsch</option><option value="en">English</option></select>
        </label>
        <span class="who">{user.value.username}</span>
        <button type="button" class="quiet" onClick={signOut}>{t("nav.out")}</button>
      </header>
      <div class="body">
        <nav id="menu" class={`side no-print ${open ? "open" : ""} ${gloves}`} aria-label={t("nav.menu")} onClick={() => setOpen(false)}>
          <ul>
            {PLACES.filter((place) => may(place.least)).map((place) => (
              <li><a href={href([place.name])} aria-current={current === place.name ? "page" : undefined}>{t(`page.${place.name}` as Key)}</a></li>
            ))}
          </ul>
        </nav>
        <main id="content" tabIndex={-1}><Here /></main>
      </div>
    </>
  );
}

/** What the server does not have yet, always in sight. */
function Queue() {
  const count = waiting.value.length;
  const bad = refused.value.length;
  if (count === 0 && bad === 0) return null;
  return (
    <span role="status">
      <a class={`chip ${bad > 0 ? "bad" : "warn"}`} href={href(["sync"])}>
        {bad > 0 ? t("queue.refused", { count: bad }) : t("queue.waiting", { count })}
      </a>
    </span>
  );
}

document.documentElement.lang = language.value;
document.documentElement.dataset.theme = theme.value;
interceptLinks();
keepExchanging();
void followForEver();
if ("serviceWorker" in navigator && isSecureContext) void navigator.serviceWorker.register("sw.js");
void loadTexts(language.value).then(() => render(<App />, document.getElementById("app") as HTMLElement));
