// What may befall a vehicle: chances with their intervals, the reasons, similar cases, and where the figures come from.
import { useAsked } from "../core/query";
import { seg } from "../core/api";
import { href } from "../core/route";
import { day, type Key, number, t, word } from "../i18n";
import { Badge, Fact, Shown, type Tone } from "../parts/ui";

export const RISK: Record<string, Tone> = { low: "good", medium: "warn", high: "bad", critical: "bad" };

interface Reason {
  feature: string;
  effect: string;
  weight: number;
  value: number | null;
  typical: number | null;
  text: string;
}
interface Prediction {
  as_of: string;
  horizons: { days: number; probability: number; interval: [number, number] | null }[];
  risk_level: string;
  reasons: Reason[];
  similar_cases: { vehicle_id: string; date: string; days_to_failure: number | null; similarity: number }[];
  features: Record<string, number | null>;
  source: string;
  maintenance?: { recommended_date: string | null; recommended_in_days: number | null } | null;
}

/** A feature in words. Most are made of a group of faults and a number of days. */
export function featureName(name: string): string {
  const known = word("feature", name);
  if (known !== name.replaceAll("_", " ")) return known;
  const since = /^days_since_(\w+?)(?:_(\d+))?$/.exec(name);
  if (since) return t("feature.since", { what: word("fault", since[1]), nth: since[2] ? ` (${since[2]})` : "" });
  const within = /^(\w+?)_(\d+)$/.exec(name);
  if (within) return t("feature.within", { what: word("fault", within[1]), days: within[2] ?? "" });
  return known;
}

/** What the rule looks at, for want of a model's reasons. */
const FACTS = ["critical_event_count_30d", "days_since_maintenance", "avg_days_between_maintenance", "mileage"] as const;

export function Reasons({ id }: { id: string }) {
  const asked = useAsked<Prediction>(id ? `/ml/predict/failure/${seg(id)}` : null, {}, false);
  return (
    <Shown asked={asked}>
      {(found) => (
        <>
          <p class="row"><Badge tone={RISK[found.risk_level] ?? "none"}>{word("risk", found.risk_level)}</Badge> <span class="small">{t(found.source === "rule" ? "risk.rule" : "risk.model")}</span></p>
          <dl class="facts">
            {found.horizons.map(({ days, probability, interval }) => (
              <Fact name={t("risk.within", { days })}>
                {number(probability * 100)} %
                {/* An interval that leaves its own point out says nothing. */}
                {interval && interval[0] <= probability && probability <= interval[1] && <span class="small"> ({number(interval[0] * 100)}–{number(interval[1] * 100)} %)</span>}
              </Fact>
            ))}
          </dl>
          <h3>{t("risk.reasons")}</h3>
          {found.reasons.length > 0 ? (
            <ul class="plain">
              {found.reasons.slice(0, 5).map((reason) => (
                <li>
                  <Badge tone={reason.effect === "raises" ? "bad" : "good"}>{t(reason.effect === "raises" ? "risk.raises" : "risk.lowers")}</Badge>{" "}
                  {t("risk.reason", { feature: featureName(reason.feature), value: number(reason.value, 1), typical: number(reason.typical, 1) })} <span class="small">{number(reason.weight * 100)} %</span>
                </li>
              ))}
            </ul>
          ) : (
            <ul>
              <li>{t("risk.rule.how")}</li>
              {FACTS.filter((name) => Number.isFinite(found.features[name])).map((name) => <li>{t(`feature.${name}` as Key)}: {number(found.features[name], 0)}</li>)}
            </ul>
          )}
          {found.similar_cases.length > 0 && (
            <>
              <h3>{t("risk.similar")}</h3>
              <ul class="plain">{found.similar_cases.map((one) => <li><a href={href(["vehicle", one.vehicle_id], { at: one.date })}>{one.vehicle_id}, {day(one.date)}</a>: {one.days_to_failure === null ? t("risk.similar.none") : t("risk.similar.failed", { days: number(one.days_to_failure) })}</li>)}</ul>
            </>
          )}
        </>
      )}
    </Shown>
  );
}

export function Risk({ id }: { id: string }) {
  const plan = useAsked<Prediction>(`/ml/predict/maintenance/${seg(id)}`, {}, false);
  const due = plan.value?.maintenance;
  return (
    <section>
      <h2>{t("risk.title")}</h2>
      <Reasons id={id} />
      {due?.recommended_date && <p>{t("risk.due", { day: day(due.recommended_date), days: number(due.recommended_in_days) })}</p>}
      <p class="no-print"><a href={href(["predictions"])}>{t("page.predictions")}</a></p>
    </section>
  );
}
