// Are we fine, and what will it cost: the executive's page, on one sheet of A4.
import { useAsked } from "../core/query";
import { href } from "../core/route";
import type { Kpis } from "../core/types";
import { number, t, word } from "../i18n";
import { PrintButton } from "../parts/exports";
import { Badge, Page, Shown } from "../parts/ui";
import { CostFan } from "./costs";
import { kpiName, SixTiles, span, Window } from "./kpi";
import { RISK } from "./risk";

interface Ranked {
  vehicles: { vehicle_id: string; risk_level: string; failure_probability_30d: number }[];
}

export function Overview() {
  const kpis = useAsked<Kpis>("/analytics/catalogue", span());
  const ranked = useAsked<Ranked>("/ml/fleet/risk", { limit: 5 }, false);
  return (
    <Page title={t("page.overview")} lead={t("overview.lead")} actions={<PrintButton />}>
      <Window />
      <Shown asked={kpis}>
        {(found) => {
          const worse = found.kpis.filter((kpi) => kpi.trend === "declining");
          return (
            <>
              <SixTiles kpis={found.kpis} />
              <p class="row">
                {worse.length === 0 ? <Badge tone="good">{t("overview.no-worse")}</Badge> : worse.map((kpi) => <a href={href(["drill", kpi.key])}><Badge tone="bad">{t("overview.worse", { name: kpiName(kpi.key) })}</Badge></a>)}
              </p>
            </>
          );
        }}
      </Shown>
      <CostFan months="12" />
      <section>
        <h2>{t("overview.first")}</h2>
        <Shown asked={ranked} isEmpty={(found) => found.vehicles.length === 0} empty={t("predict.none")}>
          {(found) => (
            <ol class="plain row">
              {found.vehicles.map((one) => (
                <li><a href={href(["vehicle", one.vehicle_id])}>{one.vehicle_id}</a> <Badge tone={RISK[one.risk_level] ?? "none"}>{word("risk", one.risk_level)}, {number(100 * one.failure_probability_30d)} %</Badge></li>
              ))}
            </ol>
          )}
        </Shown>
      </section>
    </Page>
  );
}
