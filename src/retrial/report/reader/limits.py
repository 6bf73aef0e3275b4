"""Limits of the study itself: what is estimated, and the randomised trial that a study without random assignment stands in for."""

from __future__ import annotations

from collections.abc import Iterator

from retrial.dims import CONTROL, EXPERIMENTAL
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import arm_label, covariates_label, endpoint_label, is_treatment
from retrial.report.reader.design import design_paragraph
from retrial.report.reader.doubts import of_design
from retrial.report.section import Section
from retrial.report.table import Table, text_row
from retrial.study.study import Study

_CAPTION = (
    "The trial that would answer the question, part by part, beside what the study file records of the paper (a target trial: Hernán and Robins"
    " 2016; bias by the domains of ROBINS-I: Sterne et al. 2016). Judgements on a domain need the paper's text; what is not recorded says so."
)
_NOT_RECORDED = "not recorded in the study file"
_P_LEVEL = 0.1


def limits_section(data: ReportData) -> Iterator[Section]:
    """The estimand, and where the arms were not assigned at random the target trial with what departs from it."""
    study = data.study
    if study.one_arm or not (study.endpoints or study.effects or study.count_rows()):
        return
    changed = design_paragraph(data)
    paragraphs = (
        _estimand(study),
        *((_weights(study),) if study.randomised is not True else ()),
        *((changed,) if changed else ()),
    )
    tables = (_target_trial(data),) if study.randomised is not True else ()
    title = "Limits of a study that is not randomised" if study.randomised is False else "What is estimated, and its limits"
    yield Section("limits", title, tables, paragraphs=paragraphs)


def _estimand(study: Study) -> str:
    outcomes = ", ".join(endpoint_label(study, key) for key in study.endpoints)
    of = f" of {outcomes}" if outcomes else ""
    what = "among patients like those of the study, whatever they took after"
    return (
        f"Estimand: the contrast{of} between {arm_label(study, EXPERIMENTAL)} and {arm_label(study, CONTROL)} {what}. Unadjusted effects"
        " compare the arms as they were; an adjusted hazard ratio is conditional on the covariates that the paper names, and is another"
        " quantity than the unadjusted one even without confounding (hazard ratios do not collapse)."
    )


def _weights(study: Study) -> str:
    why = (
        "The arms were not assigned at random"
        if study.randomised is False
        else "The study file does not say how the arms were assigned"
    )
    return (
        f"{why}: every interval and probability here is conditional on no confounding beyond what the paper adjusted for. No model of printed"
        " numbers removes confounding, selection or informative censoring; no choice of a prior covers them."
    )


def _target_trial(data: ReportData) -> Table:
    study = data.study
    rows = [
        ("Eligibility", "the same patients whatever their treatment", _eligibility(data), "selection of participants"),
        (
            "Treatment strategies",
            "both defined before the start, followed until a reason set beforehand",
            _arms(study),
            "classification of interventions; deviations",
        ),
        ("Assignment", "at random", study.design or _NOT_RECORDED, f"confounding: {_imbalance(study)}"),
        ("Start of follow-up", "at assignment, for everybody", _start(study), _immortal(study)),
        ("Outcome", "assessed without knowledge of the treatment", _outcomes(study), "measurement of outcomes"),
        ("Follow-up", "everybody, to one closing date", _follow_up(study), "missing data"),
        ("Analysis", "the estimand above, planned beforehand", _analysis(data), "selection of the reported result"),
    ]
    columns = ("Part", "Target trial", "This study", "Domain of bias")
    return Table("reader_target_trial", "The target trial", _CAPTION, columns, tuple(text_row(row) for row in rows), prose=True)


def _eligibility(data: ReportData) -> str:
    """The reference only where something is said there."""
    parts, study = [], data.study
    time = study.timeline
    if time is not None and time.accrual_start is not None and time.accrual_end is not None:
        parts.append(f"treated from {time.accrual_start} to {time.accrual_end}")
    if time is not None and time.excluded_follow_up_up_to is not None:
        parts.append(
            f"patients followed for {time.excluded_follow_up_up_to.text} {study.time_unit} or less left out, as the paper says"
        )
        if any(any(of_design(data, key)) for key in study.endpoints):
            parts.append("whether its tables leave them out is under “What cannot be known”")
    return "; ".join(parts) or _NOT_RECORDED


def _arms(study: Study) -> str:
    sizes = [
        f"{arm_label(study, arm)}{'' if study.n(arm) is None else f' (n = {study.n(arm)})'}" for arm in (EXPERIMENTAL, CONTROL)
    ]
    return " against ".join(sizes)


def _imbalance(study: Study) -> str:
    """Baseline variables whose printed test says that the arms differ."""
    variables = study.baseline.variables if study.baseline is not None else {}
    if not variables:
        return "no baseline table recorded"
    tested = {key: float(item.p.value) for key, item in variables.items() if item.p is not None}
    low = [variables[key].label or key for key, p in tested.items() if p < _P_LEVEL]
    none = (
        f"none of {len(tested)} baseline tests has p below {_P_LEVEL:g}, which is weak evidence of balance in arms of this size"
    )
    names = f"p below {_P_LEVEL:g} for {', '.join(low)}" if low else none
    return f"{fmt.count(len(variables))} baseline variables printed; {names}"


def _start(study: Study) -> str:
    return _NOT_RECORDED if study.timeline is None else f"see {study.timeline.where}" if study.timeline.where else _NOT_RECORDED


def _immortal(study: Study) -> str:
    time = study.timeline
    if time is not None and time.excluded_follow_up_up_to is not None:
        least = f"{time.excluded_follow_up_up_to.text} {study.time_unit}"
        return (
            f"immortal time: who had {least} of follow-up or less could not be in the study, so early losses, and early deaths unless"
            " these were kept, are missing from both arms as far as the tables keep to it"
        )
    return "immortal time, where treatment starts after follow-up"


def _outcomes(study: Study) -> str:
    criteria = study.response.criteria if study.response is not None else ""
    names = [endpoint_label(study, key) for key in study.endpoints]
    return "; ".join([*names, *([f"response by {criteria}"] if criteria else [])]) or _NOT_RECORDED


def _follow_up(study: Study) -> str:
    time, parts = study.timeline, []
    if time is not None and time.cut_off is not None:
        parts.append(f"closed on {time.cut_off}")
    if time is not None and time.minimum_follow_up is not None:
        least = f"{time.minimum_follow_up.text} {study.time_unit}"
        parts.append(f"everybody without the event followed for at least {least}, so that nobody is taken as censored before")
    return "; ".join(parts) or _NOT_RECORDED


def _analysis(data: ReportData) -> str:
    adjusted = {
        row.adjusted_for for row in data.estimates if row.method == "published" and row.adjusted_for and is_treatment(row)
    }
    if not adjusted:
        return "no adjusted effect of the treatment is printed"
    longest_first = sorted(adjusted, key=lambda text: (-text.count(","), text))
    return "adjusted for " + "; or for ".join(covariates_label(text) for text in longest_first)
