// Which vehicle fails next and why: the fleet ranked by risk, the models, and how good they were when nobody knew.
import { useState } from "preact/hooks";
import { Bars, Scatter } from "../charts/svg";
import { seg, write } from "../core/api";
import { useAsked } from "../core/query";
import { filter, href, setFilters } from "../core/route";
import { may } from "../core/session";
import { number, t, time, word } from "../i18n";
import { DataLinks, PrintButton } from "../parts/exports";
import { Badge, Fact, Field, Grid, Page, Shown, useDoing } from "../parts/ui";
import { featureName, RISK, Reasons } from "./risk";

interface Ranked {
  as_of: string;
  fleet_size: number;
  source: string;
  model: { model_id: string; version: string } | null;
  vehicles: { vehicle_id: string; rank: number; risk_level: string; failure_probability_30d: number; failure_probability_60d: number; failure_probability_90d: number }[];
}
interface Model {
  model_id: string;
  model_name: string;
  model_type: string;
  version: string;
  status: string;
  stage: string;
  created_at: string;
  trained_at: string | null;
  deployed_at: string | null;
  horizons: number[];
  metrics: ({ calibration?: Record<string, Bin[]> } & Record<string, number | string | Record<string, Bin[]>>) | null;
}

const HORIZONS = ["30", "60", "90"] as const;

export function Predictions() {
  const horizon = HORIZONS.find((days) => days === filter("days")) ?? "30";
  const count = filter("count") || "20";
  const ranked = useAsked<Ranked>("/ml/fleet/risk", { limit: count }, false);
  const models = useAsked<{ models: Model[] }>("/ml/models", {}, false);
  const looked = filter("vehicle");
  return (
    <Page title={t("page.predictions")} lead={t("predict.lead")} actions={<PrintButton />}>
      <div class="filters no-print">
        <Field label={t("predict.within")}>
          <select value={horizon} onChange={(event) => setFilters({ days: event.currentTarget.value })}>{HORIZONS.map((days) => <option value={days}>{t("plan.in-days", { days })}</option>)}</select>
        </Field>
        <Field label={t("predict.count")}>
          <select value={count} onChange={(event) => setFilters({ count: event.currentTarget.value })}>{["10", "20", "50", "200"].map((one) => <option value={one}>{one}</option>)}</select>
        </Field>
      </div>
      <Shown asked={ranked} isEmpty={(found) => found.vehicles.length === 0} empty={t("predict.none")}>
        {(found) => {
          const chance = (one: Ranked["vehicles"][number]): number => 100 * one[`failure_probability_${horizon}d`];
          const chosen = looked || found.vehicles[0]?.vehicle_id || "";
          return (
            <>
              <p class="notice row">
                <Badge tone={found.source === "rule" ? "warn" : "good"}>{t(found.source === "rule" ? "risk.rule" : "risk.model")}</Badge>
                <span>{t("predict.promise")}</span>
                {found.model && <a href={href(["model", found.model.model_id])}>{t("predict.card")}</a>}
              </p>
              <div class="halves">
                <Bars title={t("predict.ranked")} summary={t("predict.ranked.summary", { days: horizon, count: found.vehicles.length, all: found.fleet_size })} file="risk" unit="%" bars={found.vehicles.slice(0, 20).map((one) => ({ label: one.vehicle_id, value: chance(one), href: href(["vehicle", one.vehicle_id]), tone: RISK[one.risk_level] }))} />
                <section class="chart">
                  <div class="filters no-print">
                    <Field label={t("predict.why")}><select value={chosen} onChange={(event) => setFilters({ vehicle: event.currentTarget.value })}>{found.vehicles.map((one) => <option value={one.vehicle_id}>{one.vehicle_id}</option>)}</select></Field>
                  </div>
                  <h3>{t("predict.why")}: <a href={href(["vehicle", chosen])}>{chosen}</a></h3>
                  <Reasons id={chosen} />
                </section>
              </div>
              <DataLinks file="risk-ranking" table={{ head: ["rank", "vehicle", "risk_level", "p30", "p60", "p90"], rows: found.vehicles.map((one) => [one.rank, one.vehicle_id, one.risk_level, one.failure_probability_30d, one.failure_probability_60d, one.failure_probability_90d]) }} />
            </>
          );
        }}
      </Shown>
      <section>
        <h2>{t("predict.models")}</h2>
        <Shown asked={models} isEmpty={(found) => found.models.length === 0} empty={t("predict.untrained")}>
          {(found) => (
            <Grid
              label={t("predict.models")}
              rows={found.models}
              keyOf={(model) => model.model_id}
              columns={[
                { name: t("predict.model"), cell: (model) => <a href={href(["model", model.model_id])}>{word("model", model.model_name)} {model.version}</a> },
                { name: t("predict.stage"), cell: (model) => <Badge tone={model.stage === "champion" ? "good" : "none"}>{word("stage", model.stage)}</Badge> },
                { name: t("predict.trained"), cell: (model) => time(model.trained_at) },
                { name: t("predict.metrics"), cell: (model) => (model.metrics?.roc_auc_30 === undefined ? "–" : t("predict.short", { auc: number(Number(model.metrics.roc_auc_30), 2), ece: number(100 * Number(model.metrics.ece_30), 1) })) },
              ]}
            />
          )}
        </Shown>
        {may("FLEET_MANAGER") && <Train onDone={models.again} />}
      </section>
    </Page>
  );
}

interface JobList {
  jobs: { job_id: string; status: string; step: string | null; progress: number; error: string | null; started_at: string }[];
}

/** Begins a training, and says how the last one went. */
function Train({ onDone }: { onDone: () => void }) {
  const jobs = useAsked<JobList>("/ml/training-jobs");
  const { run, fault } = useDoing();
  const last = jobs.value?.jobs[0];
  const begin = async (): Promise<void> => {
    await write("POST", "/ml/train", {});
    jobs.again();
    onDone();
  };
  return (
    <div class="row">
      <button type="button" class="no-print" disabled={last?.status === "running" || last?.status === "pending"} onClick={() => void run(begin)}>{t("predict.train")}</button>
      {last && <p role="status"><Badge tone={last.status === "completed" ? "good" : last.status === "failed" ? "bad" : "warn"}>{word("job", last.status)}</Badge> {last.error ?? (last.status === "running" ? last.step : "")} <span class="small">{time(last.started_at)}</span></p>}
      {fault}
    </div>
  );
}

interface Bin {
  predicted: number;
  observed: number;
  snapshots: number;
}

/** What was told and what came, by tenths of the chance; on the dashed line they are the same. */
function Curve({ curves }: { curves: Record<string, Bin[]> }) {
  const known = HORIZONS.filter((days) => (curves[days] ?? []).length > 0);
  const [days, setDays] = useState<string>(known[0] ?? "30");
  const bins = curves[days] ?? [];
  if (known.length === 0) return null;
  return (
    <div>
      <div class="filters no-print">
        <Field label={t("predict.within")}>
          <select value={days} onChange={(event) => setDays(event.currentTarget.value)}>{known.map((one) => <option value={one}>{t("plan.in-days", { days: one })}</option>)}</select>
        </Field>
      </div>
      <Scatter
        title={t("predict.curve")}
        summary={t("predict.curve.summary", { days })}
        file="calibration-curve"
        xLabel={t("predict.curve.told")}
        yLabel={t("predict.curve.came")}
        dots={bins.map((bin) => ({ label: t("predict.curve.times", { count: number(bin.snapshots) }), x: 100 * bin.predicted, y: 100 * bin.observed }))}
        curves={[{ points: [[0, 0], [100, 100]], dashed: true }]}
      />
    </div>
  );
}

interface Details extends Model {
  feature_names: string[] | null;
  hyperparameters: Record<string, unknown> | null;
  file_digest: string | null;
  created_by: string | null;
  error: string | null;
  live: { served: number; horizons: { days: number; predictions: number; failures?: number; ece?: number; logloss?: number; roc_auc?: number; mean_chance?: number; share_failed?: number }[] } | null;
}

/** A model's card: what it is, what it was trained on, how good it was on time that it had not seen, and since. */
export function ModelPage({ id }: { id: string }) {
  const asked = useAsked<Details>(`/ml/models/${seg(id)}`, {}, false);
  const drift = useAsked<{ psi: Record<string, number> }>(asked.value?.stage === "champion" ? "/ml/drift" : null, {}, false);
  const { run, fault } = useDoing();
  const change = async (what: "promote" | "rollback"): Promise<void> => {
    if (await run(() => write("POST", `/ml/models/${seg(id)}/${what}`, {}))) asked.again();
  };
  const model = asked.value;
  return (
    <Page
      title={model ? `${word("model", model.model_name)} ${model.version}` : id}
      lead={model?.model_type.replaceAll("_", " ")}
      actions={
        <>
          {may("FLEET_MANAGER") && model && model.stage !== "champion" && model.status === "trained" && <button type="button" class="main" onClick={() => void change("promote")}>{t("predict.promote")}</button>}
          {may("FLEET_MANAGER") && model?.stage === "champion" && <button type="button" onClick={() => void change("rollback")}>{t("predict.rollback")}</button>}
          <PrintButton />
        </>
      }
    >
      <p class="no-print"><a href={href(["predictions"])}>{t("page.predictions")}</a></p>
      {fault}
      <Shown asked={asked}>
        {(found) => {
          const metric = (name: string, days: string): number => Number(found.metrics?.[`${name}_${days}`] ?? NaN);
          const known = HORIZONS.filter((days) => Number.isFinite(metric("logloss", days)));
          return (
            <>
              <dl class="facts">
                <Fact name={t("predict.stage")}><Badge tone={found.stage === "champion" ? "good" : "none"}>{word("stage", found.stage)}</Badge></Fact>
                <Fact name={t("predict.trained")}>{time(found.trained_at)}</Fact>
                <Fact name={t("predict.deployed")}>{time(found.deployed_at)}</Fact>
                <Fact name={t("predict.test")}>{time(found.metrics?.test_from as string)} – {time(found.metrics?.test_to as string)}</Fact>
                <Fact name={t("predict.skill")}>{number(100 * Number(found.metrics?.skill ?? NaN), 1)} %</Fact>
                <Fact name={t("predict.features")}>{number(found.feature_names?.length)}</Fact>
              </dl>
              <p class="notice">{t("predict.card.how")}</p>
              {known.length > 0 && (
                <>
                  <div class="halves">
                    <Bars title={t("predict.calibration")} summary={t("predict.calibration.summary")} file="calibration" unit="%" bars={known.map((days) => ({ label: t("plan.in-days", { days }), value: 100 * metric("ece", days), tone: metric("ece", days) > 0.1 ? "bad" : metric("ece", days) > 0.05 ? "warn" : "good" }))} />
                    <Bars title={t("predict.loss")} summary={t("predict.loss.summary")} file="loss" unit="" digits={3} bars={known.flatMap((days) => {
                      const beats = metric("logloss", days) < Math.min(metric("rule_logloss", days), metric("base_rate_logloss", days));
                      return ([["predict.of.model", "logloss"], ["predict.of.rule", "rule_logloss"], ["predict.of.base", "base_rate_logloss"]] as const).map(([label, name]) => ({ label: `${days}: ${t(label)}`, value: metric(name, days), tone: name !== "logloss" ? undefined : beats ? ("good" as const) : ("bad" as const) }));
                    })} />
                  </div>
                  <Grid
                    label={t("predict.metrics")}
                    rows={[...known]}
                    keyOf={(days) => days}
                    columns={[
                      { name: t("predict.within"), cell: (days) => t("plan.in-days", { days }) },
                      { name: "ROC-AUC", cell: (days) => number(metric("roc_auc", days), 3), number: true },
                      { name: t("predict.auc.rule"), cell: (days) => number(metric("rule_roc_auc", days), 3), number: true },
                      { name: "PR-AUC", cell: (days) => number(metric("pr_auc", days), 3), number: true },
                      { name: "ECE", cell: (days) => number(metric("ece", days), 3), number: true },
                      { name: t("predict.accuracy"), cell: (days) => `${number(100 * metric("accuracy", days), 1)} % (${number(100 * metric("majority_share", days), 1)} %)`, number: true },
                      { name: t("predict.caught"), cell: (days) => `${number(100 * metric("caught_in_riskiest_tenth", days))} %`, number: true },
                    ]}
                  />
                  {found.metrics?.calibration && <Curve curves={found.metrics.calibration} />}
                  <DataLinks file="model-metrics" table={{ head: ["metric", "value"], rows: Object.entries(found.metrics ?? {}).flatMap(([name, value]) => (typeof value === "number" || typeof value === "string" ? [[name, value]] : [])) }} />
                </>
              )}
              <section>
                <h2>{t("predict.live")}</h2>
                {(found.live?.served ?? 0) === 0 ? <p>{t("predict.live.none")}</p> : (
                  <Grid
                    label={t("predict.live")}
                    rows={found.live?.horizons ?? []}
                    keyOf={(one) => String(one.days)}
                    columns={[
                      { name: t("predict.within"), cell: (one) => t("plan.in-days", { days: one.days }) },
                      { name: t("predict.judged"), cell: (one) => number(one.predictions), number: true },
                      { name: "ECE", cell: (one) => number(one.ece, 3), number: true },
                      { name: "ROC-AUC", cell: (one) => number(one.roc_auc, 3), number: true },
                    ]}
                  />
                )}
              </section>
              {drift.value && <Bars title={t("predict.drift")} summary={t("predict.drift.summary")} file="drift" unit="PSI" digits={2} bars={Object.entries(drift.value.psi ?? {}).sort((a, b) => b[1] - a[1]).slice(0, 12).map(([name, value]) => ({ label: featureName(name), value, tone: value > 0.25 ? "bad" : value > 0.1 ? "warn" : "good" }))} />}
              <details class="more">
                <summary>{t("predict.settings")}</summary>
                <dl class="facts">{Object.entries(found.hyperparameters ?? {}).map(([name, value]) => <Fact name={name}>{String(value)}</Fact>)}</dl>
                <p class="small">{(found.feature_names ?? []).map(featureName).join(", ")}</p>
                <p class="small">SHA-256 <code class="hash">{found.file_digest}</code></p>
              </details>
            </>
          );
        }}
      </Shown>
    </Page>
  );
}
