// Workshops compared like with like: hours against what the same orders take elsewhere, in a funnel that says how much
// chance alone would do.
import { Scatter } from "../charts/svg";
import { useAsked, useWhole } from "../core/query";
import { dayFrom, href } from "../core/route";
import type { Workshop } from "../core/types";
import { number, t } from "../i18n";
import { PrintButton, ServerTable } from "../parts/exports";
import { Badge, DayField, Grid, Page, Shown, type Tone } from "../parts/ui";

interface Compared {
  workshop_id: string;
  code: string;
  name: string;
  orders: number;
  actual_hours: number;
  expected_hours: number;
  ratio: number;
  low: number;
  high: number;
  funnel_low: number;
  funnel_high: number;
  ranked: boolean;
}

function verdict(one: Compared): [Tone, string] {
  if (!one.ranked) return ["none", t("workshops.few")];
  if (one.ratio > one.funnel_high) return ["bad", t("workshops.slower")];
  if (one.ratio < one.funnel_low) return ["good", t("workshops.faster")];
  return ["none", t("workshops.usual")];
}

export function Workshops() {
  const params = { from: dayFrom("since") };
  const asked = useAsked<{ workshops: Compared[] }>("/analytics/benchmark/workshops", params);
  const shops = useWhole<Workshop>("/workshops");
  const shop = new Map((shops.value ?? []).map((one) => [one.id, one]));
  return (
    <Page title={t("page.workshops")} lead={t("workshops.lead")} actions={<PrintButton />}>
      <div class="filters no-print"><DayField name="since" label={t("audit.since")} /></div>
      <Shown asked={asked} isEmpty={(found) => found.workshops.length === 0}>
        {(found) => {
          const sorted = [...found.workshops].sort((a, b) => a.orders - b.orders);
          const planner = (one: Compared): string => href(["planner"], { workshop: one.workshop_id });
          return (
            <>
              <Scatter
                title={t("workshops.funnel")}
                summary={t("workshops.funnel.summary")}
                file="workshops"
                xLabel={t("workshops.orders")}
                yLabel={t("workshops.ratio")}
                dots={found.workshops.map((one) => ({ label: one.code, x: one.orders, y: one.ratio, href: planner(one), low: one.low, high: one.high }))}
                curves={[
                  { points: sorted.map((one) => [one.orders, one.funnel_high]), dashed: true },
                  { points: sorted.map((one) => [one.orders, 1]) },
                  { points: sorted.map((one) => [one.orders, one.funnel_low]), dashed: true },
                ]}
              />
              <Grid
                label={t("page.workshops")}
                rows={found.workshops}
                keyOf={(one) => one.code}
                columns={[
                  { name: t("workshops.code"), cell: (one) => <a href={planner(one)}>{one.code}</a> },
                  { name: t("part.name"), cell: (one) => shop.get(one.workshop_id)?.name ?? one.name },
                  { name: t("workshops.tracks"), cell: (one) => number(shop.get(one.workshop_id)?.total_tracks), number: true },
                  { name: t("workshops.orders"), cell: (one) => number(one.orders), number: true },
                  { name: t("workshops.hours"), cell: (one) => `${number(one.actual_hours)} / ${number(one.expected_hours)} h`, number: true },
                  { name: t("workshops.ratio"), cell: (one) => `${number(one.ratio, 2)} (${number(one.low, 2)}–${number(one.high, 2)})`, number: true },
                  { name: t("workshops.verdict"), cell: (one) => { const [tone, said] = verdict(one); return <Badge tone={tone}>{said}</Badge>; } },
                ]}
              />
              <ServerTable path="/analytics/benchmark/workshops" params={params} file="workshops" />
            </>
          );
        }}
      </Shown>
    </Page>
  );
}
