"""What nobody can know from the paper, and what would change the conclusion."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import covariates_label, endpoint_label, model_label, prior_label, quantity_label, upper_first
from retrial.report.reader.effects import heading
from retrial.report.reader.ladder import Ladder, Outcome, no_effect, outcomes
from retrial.report.section import Section
from retrial.report.tables.results import written
from retrial.tables.printed.readings import DesignReading

AS_THEY_ARE, ELIGIBILITY = str(DesignReading.AS_THEY_ARE), str(DesignReading.ELIGIBILITY)
"""Names of the choices of tables that are hypotheses about the design."""
_CONFOUNDER = "one more confounder"
"""How a variant begins that adds a confounder that was not measured."""
_E_VALUES = ("e_value", "e_value_of_confidence_limit")


def unknown_section(data: ReportData) -> Iterator[Section]:
    """What the paper leaves open because its patients are not public, as far as the run has put a number to it."""
    study = data.study
    if all(endpoint.patients for endpoint in study.endpoints.values()) and study.endpoints:
        said = [
            "The patients are in a file: only what that file does not hold is unknown, above all what else differed between the arms."
        ]
    else:
        said = [
            "The patients' data are not public: no model here can adjust for what the paper does not adjust for, look at subgroups, or tell"
            " who was lost to follow-up and why."
        ]
    for key in study.endpoints:
        name = upper_first(endpoint_label(study, key))
        said += [
            f"{name}: {sentence}"
            for sentence in (*_readings(data.readings, key), *of_design(data, key), *_share(data, key), *_censoring(data, key))
        ]
    yield Section("unknown", "What cannot be known from the paper", lists=(("", tuple(said)),))


def _readings(frame: pd.DataFrame | None, endpoint: str) -> Iterator[str]:
    """How many combinations of estimators may have made the printed numbers."""
    if frame is None or frame.empty:
        return
    mine = frame[(frame["endpoint"] == endpoint) & (frame["status"] == "attained")]
    if len(mine) > 1:
        best = fmt.share(float(mine["share"].max()))
        yield (
            f"the paper does not say by which estimators its numbers were made: {len(mine)} combinations can have printed them, the likeliest"
            f" with probability {best}."
        )


def of_design(data: ReportData, endpoint: str) -> Iterator[str]:
    """What a rule about who was eligible changes, and how much of it the tables carry (`tables.findings.choices`)."""
    frame = data.choices
    if frame is None or ELIGIBILITY not in set(frame.get("choice", ())):
        return
    mine = frame[(frame["endpoint"] == endpoint) & frame["choice"].isin([AS_THEY_ARE, ELIGIBILITY])]
    tables, ruled = (mine[mine["choice"] == choice] for choice in (AS_THEY_ARE, ELIGIBILITY))
    if ruled.empty or tables.empty:
        return
    words = str(ruled["words"].iloc[0])
    if (ruled["status"] != "ok").any():
        yield f"under the rule “{words}” no life table was found that carries the printed numbers."
        return
    before, after = (part[part["quantity"] == "rmst_difference"] for part in (tables, ruled))
    if before.empty or after.empty:
        return
    (old, new), time = (float(part["mean"].iloc[0]) for part in (before, after)), float(after["time"].iloc[0])
    evidence, error = (float(after[name].iloc[0]) for name in ("log_bayes_factor", "log_bayes_factor_se"))
    told = "" if pd.isna(evidence) else f" (log Bayes factor {fmt.decimal(evidence, 1)}, SE {fmt.decimal(error, 1)})"
    settled = ruled["settled"].fillna("").iloc[0] == "" and tables["settled"].fillna("").iloc[0] == ""
    yield (
        f"the paper does not say whether “{words}” holds of its tables{told}: under that rule the difference in restricted mean survival to"
        f" {time:g} months, over the tables, is {fmt.decimal(new, 1)} months, without it {fmt.decimal(old, 1)}"
        f"{'' if settled else '; the samplers have not settled this'}.{_carried(data.readings, endpoint)}"
    )


def _carried(frame: pd.DataFrame | None, endpoint: str) -> str:
    """How probable the rule is in the posteriors."""
    if frame is None or frame.empty or ELIGIBILITY not in set(frame.get("design", ())):
        return " The posteriors rest on the tables without the rule."
    mine = frame[(frame["endpoint"] == endpoint) & (frame["status"] == "attained")]
    shares = mine["joint_share"] if mine["joint_share"].notna().any() else mine["share"]
    of_rule = mine["design"] == ELIGIBILITY
    ruled = float(shares[of_rule].sum() / shares.sum())
    if ruled == 0.0 and mine["share"][of_rule].sum() > 0:
        return " The posteriors rest on the tables without the rule: under it no table of another endpoint carries its numbers."
    return f" The posteriors rest on both kinds of tables, with {fmt.share(ruled)} on those under the rule (both as likely beforehand)."


def _share(data: ReportData, endpoint: str) -> Iterator[str]:
    """Share of the posterior variance that only patients' data would remove."""
    frame = data.variance
    if frame is None or frame.empty:
        return
    mine = frame[(frame["endpoint"] == endpoint) & (frame["quantity"] == "log_hazard_ratio") & (frame["status"] == "ok")]
    mine = mine[mine["design"].fillna("") == ""] if "design" in mine else mine
    mine = mine[mine["prior"] == (data.main_prior or (mine["prior"].iloc[0] if len(mine) else ""))]
    if len(mine):
        row = mine.iloc[0]
        parts = ("between_tables_share", "between_readings_share", "between_designs_share")
        open_share = fmt.share(float(row[[name for name in parts if name in row]].sum()))
        yield (
            f"{open_share} of the posterior variance of the log hazard ratio ({model_label(str(row['model']))},"
            f" {prior_label(str(row['prior']))} prior) comes from what the paper does not print about its patients' times."
        )


def _censoring(data: ReportData, endpoint: str) -> Iterator[str]:
    curves = data.curves.get(endpoint)
    if curves is not None and not curves.from_patients and curves.printed_at_risk is None:
        yield "no numbers at risk are printed: when patients without the event left the study is known through the other numbers only."


_ELSEWHERE = "Which bias would change it, and which fate of those who left the study, stands in the next section with the values at which it tips."


def change_section(data: ReportData) -> Iterator[Section]:
    """Which belief and which confounding would overturn the effects, from the run's own numbers."""
    found = outcomes(data)
    said = [(upper_first(endpoint_label(data.study, one.endpoint)), tuple(_overturned(data, one))) for one in found]
    lists = tuple((name, sentences) for name, sentences in said if sentences)
    more = (_ELSEWHERE,) if lists and data.conclusions is not None else ()
    yield Section("change", "What would change the conclusion", lists=lists, paragraphs=more)


def _overturned(data: ReportData, outcome: Outcome) -> Iterator[str]:
    for ladder in outcome.ladders:
        yield from _beliefs(ladder)
    yield from _measured(data, outcome)
    yield from _confounders(data, outcome)
    yield from _e_values(data.estimates, outcome.endpoint)


def _beliefs(ladder: Ladder) -> Iterator[str]:
    """Priors under which the interval changes its answer against the main prior."""
    if ladder.main not in ladder.fine:
        return
    decided = ladder.decided(ladder.main)
    other = [prior for prior in ladder.fine if ladder.decided(prior) is not decided]
    main, none = prior_label(ladder.main), f"{no_effect(ladder.rows[ladder.main]):g}"
    if decided and other:
        yield f"{heading(ladder)}: under {main} the interval excludes {none}; under {_listed(other)} it no longer does."
    elif decided:
        yield f"{heading(ladder)}: no prior of this run overturns it: the interval excludes {none} under each of them."
    elif other:
        yield f"{heading(ladder)}: under {main} the interval includes {none}; it excludes it only under {_listed(other)}."
    else:
        yield f"{heading(ladder)}: the interval includes {none} under every prior of this run."


def _listed(priors: Sequence[str]) -> str:
    names = [prior_label(prior) for prior in priors]
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def _measured(data: ReportData, outcome: Outcome) -> Iterator[str]:
    """What adjustment for the measured covariates moves, beside the bias that undoes the unadjusted claim: the yardstick of the unmeasured ones."""
    shifts = [row for row in data.estimates if row.endpoint == outcome.endpoint and row.quantity == "adjustment_shift"]
    row = next((row for row in shifts if row.variant == "from unadjusted" and not row.failed), None)
    if row is None:
        return
    said = (
        f"What was measured as a yardstick: adjustment for {covariates_label(row.adjusted_for)} moves the unadjusted ratio as a bias would that"
        f" alone gives a ratio of {fmt.ratio(math.exp(-row.point))} ({fmt.ratio(math.exp(-row.upper))} to {fmt.ratio(math.exp(-row.lower))})"
    )
    frame = data.tipping
    if frame is not None:
        mine = frame[(frame["endpoint"] == outcome.endpoint) & (frame["challenge"] == "bias") & (frame["given"] == 0.0)]
        tips = mine[(mine["adjusted_for"].fillna("") == "") & (mine["criterion"] == mine["criterion"].max())]["value"].dropna()
        if len(tips):
            low, high = fmt.ratio(float(tips.min())), fmt.ratio(float(tips.max()))
            said += f"; {low if low == high else f'{low} to {high}'} is enough to undo the unadjusted claim"
    yield f"{said}."


def _confounders(data: ReportData, outcome: Outcome) -> Iterator[str]:
    """The adjusted effect with one more confounder, as strong as a measured one."""
    for row in data.estimates:
        mine = row.endpoint == outcome.endpoint and row.quantity == outcome.quantity and row.statistic == "value"
        if mine and row.variant.startswith(_CONFOUNDER) and not row.failed:
            none = no_effect(row)
            verb = "excludes" if row.lower > none or row.upper < none else "includes"
            yield (
                f"{upper_first(row.variant)}, would make the adjusted {quantity_label(row.quantity)} {written(row)}"
                f" ({model_label(row.model)}, {prior_label(row.prior)} prior): the interval {verb} {none:g}."
            )


def _e_values(estimates: Sequence[Estimate], endpoint: str) -> Iterator[str]:
    """E-values where the run has them: how strong an unmeasured confounder would have to be."""
    rows = {row.quantity: row for row in estimates if row.endpoint == endpoint and row.quantity in _E_VALUES and not row.failed}
    if "e_value" in rows:
        limit = rows.get("e_value_of_confidence_limit")
        also = f", and {fmt.ratio(limit.point)} would move the limit of the interval there" if limit is not None else ""
        yield (
            f"An unmeasured confounder that is associated with both treatment and outcome by a risk ratio of {fmt.ratio(rows['e_value'].point)}"
            f" each (E-value) would explain the printed estimate away{also}."
        )
