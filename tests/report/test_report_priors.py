"""The page's sections on priors, adverse events and responses: what they say of made-up results, and of none."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from report_factory import report_data

from retrial.answers.notes import empty_arms
from retrial.estimate import Estimate
from retrial.priors.implied.densities import density_rows
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet, implied
from retrial.report.figures import dots as dots_module
from retrial.report.figures.adverse_events import _dot_row, adverse_pictures, adverse_table, event_cells
from retrial.report.figures.dots import DotPanel, DotRow, DotText, dots
from retrial.report.figures.picture import Picture, finish
from retrial.report.tables.conflict import conflict_tables
from retrial.report.tables.priors import implied_table, predictive_table, prior_pictures
from retrial.report.tables.response import response_tables

SETS = [
    PriorSet("flat", {"log_hazard_ratio": Prior("normal", (0.0, 10.0)), "log_odds_ratio": Prior("normal", (0.0, 10.0))}),
    PriorSet("own", {}, "", {"os": {"log_hazard_ratio": Prior("normal_mixture", ((0.5, 0.5), (-0.8, 0.0), (0.3, 1.0)))}}),
    PriorSet("own", {"control_median": Prior("lognormal", (2.5, 1.0)), "shape": Prior("lognormal", (0.0, 0.5))}, model="weibull"),
]
RATIO, DIFFERENCE = "experimental / control", "experimental - control"
ABOVE_0: dict[str, Any] = {"statistic": "probability", "event": "above", "threshold": 0.0}


def adverse(
    term: str, grade: str, point: float, chance: float, variant: str = "", status: str = "ok", note: str = ""
) -> list[Estimate]:
    shared: dict[str, Any] = {"endpoint": f"adverse_events.{term}.{grade}", "method": "bayes", "prior": "flat", "status": status}
    shared |= {"variant": variant, "model": "adverse_events_hierarchical", "note": note}
    limits = {"lower": point / 2, "upper": point * 2, "level": 0.95, "interval_kind": "credible_equal_tailed"}
    return [
        Estimate(quantity="odds_ratio", contrast=RATIO, point=point, unit="ratio", **limits, **shared),
        Estimate(quantity="risk_difference", contrast=DIFFERENCE, point=chance, unit="probability", **ABOVE_0, **shared),
    ]


def counted(term: str, grade: str, point: float, p: float, status: str = "ok") -> list[Estimate]:
    shared: dict[str, Any] = {"endpoint": f"adverse_events.{term}.{grade}", "contrast": RATIO, "method": "frequentist"}
    limits = {"lower": point / 40, "upper": point * 40, "level": 0.95, "interval_kind": "confidence"}
    return [
        Estimate(quantity="odds_ratio", model="woolf", point=point, unit="ratio", status=status, **limits, **shared),
        Estimate(quantity="p_value", model="fisher_exact", point=p, unit="p-value", **shared),
    ]


EVENTS = [
    *adverse("rash", "any", 1.4, 0.97),
    *adverse("rash", "3-4", 1.1, 0.6),
    *adverse("diarrhoea", "any", 0.8, 0.2),
    *adverse("diarrhoea", "3-4", 0.9, 0.4),
    *adverse("rash", "any", 1.2, 0.9, "pooling scale x 0.5"),
    *counted("rash", "any", 3.0, 0.04),
    *counted("diarrhoea", "any", 0.7, 0.5),
    *counted("diarrhoea", "3-4", math.nan, 1.0, "failed: no events in either arm"),
]


def test_events_are_sorted_by_harm_with_any_grade_first() -> None:
    cells = event_cells(report_data(estimates=EVENTS, main_prior="flat"))
    assert [(cell.term, cell.grade) for cell in cells] == [
        ("rash", "any"),
        ("rash", "3-4"),
        ("diarrhoea", "any"),
        ("diarrhoea", "3-4"),
    ]
    assert cells[0].fisher == 0.04
    assert cells[0].variants["pooling scale x 0.5"].point == 1.2


def test_one_table_holds_both_analyses_and_the_variants() -> None:
    table = adverse_table(report_data(estimates=EVENTS, main_prior="flat"))
    assert table is not None
    frame = table.frame()
    rash = frame[(frame["group"] == "Rash") & (frame["Grade"] == "Any grade")].iloc[0]
    assert rash["Odds ratio, by itself"].startswith("3.000")
    assert rash["Odds ratio, shrunken"].startswith("1.400")
    assert rash["P(more harm)"] == "0.970"
    assert rash.iloc[-1] == "1.200"
    empty = frame[(frame["group"] == "Diarrhoea") & (frame["Grade"] == "Grade 3-4")].iloc[0]
    assert empty["Odds ratio, by itself"] == "no events"


def test_one_picture_of_all_terms() -> None:
    pictures = adverse_pictures(report_data(estimates=EVENTS, main_prior="flat"))
    assert [picture.key for picture in pictures] == ["adverse_events_dots"]
    assert "0.97 (Rash, Any grade)" in pictures[0].alt
    assert pictures[0].png[:4] == b"\x89PNG"


def test_what_no_patient_had_is_marked_and_never_bold() -> None:
    """Neither arm has an event: the numbers stand, with a mark, and no probability is set in bold or quoted."""
    rows = [
        *adverse("rash", "any", 0.001, 0.001, note=empty_arms((0, 0), (49, 43))),
        *adverse("fatigue", "any", 11.4, 0.99, note=empty_arms((0, 9), (49, 43))),
        *adverse("diarrhoea", "any", 1.4, 0.97),
    ]
    data = report_data(estimates=rows, main_prior="flat")
    drawn = {cell.term: _dot_row(cell) for cell in event_cells(data)}
    assert {term: (row.strong, row.notes[-1]) for term, row in drawn.items() if row is not None} == {
        "rash": (False, "<0.01‡"),
        "fatigue": (True, "0.99†"),
        "diarrhoea": (True, "0.97"),
    }
    picture, table = adverse_pictures(data)[0], adverse_table(data)
    assert table is not None
    assert all("†: nobody, or everybody, of one arm" in text and "‡: nobody" in text for text in (picture.caption, table.caption))
    assert "the lowest 0.97 (Diarrhoea" in picture.alt
    assert table.frame().set_index("group").loc["Rash", "P(more harm)"] == "0.001‡"


def test_a_printed_row_without_an_analysis_is_named() -> None:
    table = adverse_table(report_data(estimates=adverse("rash", "3-4", 1.1, 0.6), main_prior="flat"))
    assert table is not None
    assert "Not analysed, because the counts of the grades do not fit together: Diarrhoea (any grade)," in table.caption


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Figures of the dot plots that are made, as Matplotlib has them."""
    figures: list[Figure] = []

    def kept(figure: Figure, *words: str) -> Picture:
        figures.append(figure)
        return finish(figure, *words)

    monkeypatch.setattr(dots_module, "finish", kept)
    return figures


def test_no_text_of_the_picture_runs_into_another(drawn: list[Figure]) -> None:
    """Long names, counts in thousands, and points that the axis does not reach."""
    labels = ["hand-foot skin reaction of the palms and soles", "γ-glutamyltransferase increased", "rash"]
    limits = {"lower": 0.02, "upper": 90.0, "level": 0.95, "interval_kind": "credible_equal_tailed"}
    points = ((11.4, 0.04), (0.001, 12_000.0), (1.0, 9.5))
    rows = [
        DotRow(
            tuple(
                Estimate(endpoint="a", quantity="odds_ratio", contrast=RATIO, method="bayes", point=point, **limits)  # type: ignore[arg-type]
                for point in pair
            ),
            "12345 v 11249",
            ("<0.001", ">0.99†"),
            strong=True,
        )
        for pair in points
    ]
    text = DotText("k", "t", "c", "a", "Odds ratio", ("less harm", "more harm"), ("p", "P"), ("by itself", "shrunken"))
    dots(labels, [DotPanel(f"Grade {name}", rows) for name in ("any", "1-2", "3-4")], text)
    figure = drawn[0]
    FigureCanvasAgg(figure).draw()
    texts = [item for item in figure.findobj(Text) if item.get_text().strip() and item.get_visible()]
    boxes = [(item.get_text(), item.get_window_extent()) for item in texts]
    width = figure.bbox.width
    # the words under neighbouring axes belong to no row
    boxes = [(name, box) for name, box in boxes if "harm" not in name]
    assert all(box.x0 >= 0 and box.x1 <= width for _, box in boxes)
    overlaps = [
        (a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if one.padded(-0.5).overlaps(other.padded(-0.5))
    ]
    assert overlaps == []
    assert {"11", "0.04", "<0.01", ">1000", "9.5"} <= {name for name, _ in boxes}
    markers = [line.get_marker() for axes in figure.axes for line in axes.get_lines() if line.get_markersize() > 4]
    assert markers.count(">") == 9
    assert markers.count("<") == 6


def test_a_failed_fit_is_struck_out() -> None:
    failed = [*adverse("rash", "any", 1.4, 0.97, status="failed: R-hat 1.2 > 1.01"), *counted("rash", "any", 3.0, 0.04)]
    data = report_data(estimates=failed, main_prior="flat")
    table = adverse_table(data)
    assert table is not None
    assert [row.mark for row in table.rows] == ["group", "failed"]
    assert "failed: R-hat" in table.frame().to_string()
    assert adverse_pictures(data)


def test_without_the_hierarchical_model_nothing_is_added() -> None:
    data = report_data(estimates=[row for row in EVENTS if row.method == "frequentist"])
    assert adverse_pictures(data) == []
    assert adverse_table(data) is None
    assert response_tables(data) == []
    assert conflict_tables(data) == []
    assert prior_pictures(data) == []
    assert implied_table(data) is None
    assert predictive_table(data) is None


def response(model: str, prior: str, point: float, robust: float | None = None, variant: str = "") -> list[Estimate]:
    shared: dict[str, Any] = {"endpoint": "ORR", "contrast": DIFFERENCE, "method": "bayes", "model": model, "prior": prior}
    shared |= {"variant": variant}
    limits = {"lower": point - 0.2, "upper": point + 0.2, "level": 0.95, "interval_kind": "credible_equal_tailed"}
    rows = [
        Estimate(quantity="risk_difference", point=point, unit="probability", **limits, **shared),
        Estimate(quantity="risk_difference", point=0.9, unit="probability", **ABOVE_0, **shared),
    ]
    weight = Estimate(quantity="posterior_weight_robust", point=robust or 0.0, unit="probability", **shared)
    return rows if robust is None else [*rows, weight]


def test_models_of_a_response_stand_beside_each_other() -> None:
    p: dict[str, Any] = {"endpoint": "ORR", "quantity": "p_value", "contrast": RATIO, "unit": "p-value"}
    rows = [
        *response("response_binomial", "flat", 0.211),
        *response("response_hierarchical", "flat", 0.162),
        *response("response_borrowing", "flat", 0.177, 0.14),
        *response("response_binomial", "jeffreys", 0.208),
        *response("response_hierarchical", "flat", 0.164, variant="pooling scale x 2"),
        # a bound stays one
        Estimate(**p, method="published", point=0.001, source="Table 2", printed="≤0.001"),
        Estimate(**p, method="frequentist", point=0.0578, model="fisher_exact"),
    ]
    shrinkage, priors = response_tables(report_data(estimates=rows, main_prior="flat"))
    orr = shrinkage.frame().iloc[0]
    assert orr["p"] == "printed: ≤0.001; Fisher: 0.058"
    assert orr["Patients"] == "experimental: 24 of 43; control: 17 of 49"
    assert orr["Response hierarchical"].startswith("0.162")
    assert "robust part: 0.14" in orr["Response borrowing"]
    frame = priors.frame().set_index("Prior")
    assert list(frame.index) == ["Flat", "Jeffreys", "Flat, pooling scale × 2"]
    assert frame.loc["Jeffreys", "Response hierarchical"] == "–"


def scaling(prior: str, of_prior: float, of_data: float, said: str, k: float = 0.1) -> dict[str, Any]:
    named = {"endpoint": "os", "quantity": "log_hazard_ratio", "contrast": RATIO, "model": "weibull", "prior": prior}
    named |= {"adjusted_for": ""}
    return {**named, "psense_prior": of_prior, "psense_likelihood": of_data, "pareto_k": k, "diagnosis": said}


def test_one_word_a_prior() -> None:
    weights = {"vague_weight_prior": math.nan, "vague_weight_posterior": math.nan}
    shared = {
        "endpoint": "os",
        "contrast": RATIO,
        "adjusted_for": "",
        "orientation": "",
        "measure": "log_hazard_ratio",
        "estimate": -0.7,
        "se": 0.3,
        "prior_median": 0.0,
    }
    conflict = pd.DataFrame(
        [
            {**shared, "prior": "pessimistic", "box_p": 0.007, "verdict": "conflict", **weights},
            {**shared, "prior": "sceptical", "box_p": 0.11, "verdict": "none seen", **weights},
            {
                **shared,
                "prior": "robust",
                "box_p": 0.9,
                "verdict": "none seen",
                "vague_weight_prior": 0.5,
                "vague_weight_posterior": 0.32,
            },
            {
                **shared,
                "prior": "mixed",
                "box_p": 0.2,
                "verdict": "notable",
                "vague_weight_prior": 0.2,
                "vague_weight_posterior": 0.5,
                "vague_bayes_factor": 4.0,
            },
        ]
    )
    power = pd.DataFrame(
        [
            scaling("pessimistic", 0.2, 0.2, "potential prior-data conflict"),
            scaling("sceptical", 0.14, 0.15, "potential prior-data conflict"),
            scaling("strong", 0.2, 0.01, "strong prior or weak data"),
            scaling("robust", 0.01, 0.07, "none seen", k=0.9),
        ]
    )
    summary, details = conflict_tables(report_data(conflict=conflict, power_scaling=power, priors=None))
    frame = summary.frame().set_index("Prior")["Overall survival"]
    assert {name: text.split(";")[0] for name, text in frame.items()} == {
        "Pessimistic": "fights",
        "Sceptical": "pulls",
        "Robust": "quiet",
        "Mixed": "leans away",
        "Strong": "dominates",
    }
    assert "vague part: 0.50 → 0.32" in frame["Robust"]
    assert "not to be trusted: k above 0.7" in details.frame().to_string()
    assert "0.200 → 0.500 (Bayes factor 4.000)" in details.frame().to_string()


@pytest.mark.parametrize("empty", ["conflict", "power_scaling"])
def test_either_half_of_the_conflict_may_be_missing(empty: str) -> None:
    weights = {"vague_weight_prior": math.nan, "vague_weight_posterior": math.nan}
    row = {
        "endpoint": "os",
        "contrast": RATIO,
        "adjusted_for": "",
        "orientation": "",
        "measure": "log_hazard_ratio",
        "prior": "flat",
        "box_p": 0.5,
        "verdict": "none seen",
        **weights,
    }
    given = {"conflict": pd.DataFrame([row]), "power_scaling": pd.DataFrame([scaling("flat", 0.0, 0.1, "none seen")])}
    tables = conflict_tables(report_data(**(given | {empty: None})))
    assert "quiet" in tables[0].frame().to_string()


def test_what_priors_imply_and_expect() -> None:
    names = [
        "model",
        "prior",
        "endpoint",
        "quantity",
        "time",
        "contrast",
        "median",
        "lower",
        "upper",
        "observed",
        "share_below",
        "unit",
    ]
    rows = [
        ("weibull", "flat", "os", "median_survival", math.nan, "experimental", 20.0, 0.01, 9e12, 16.0, 0.49, "months"),
        ("weibull", "flat", "os", "hazard_ratio", math.nan, RATIO, 1.0, 1e-9, 1e9, 0.47, 0.48, "ratio"),
        ("response_hierarchical", "flat", "ORR", "proportion", math.nan, "experimental", 0.5, 0.1, 0.9, 0.56, 0.6, "probability"),
        ("response_hierarchical", "flat", "ORR", "proportion", math.nan, "control", 0.81, 0.3, 0.99, 0.35, 0.01, "probability"),
    ]
    data = report_data(
        priors=pd.DataFrame([row for made in SETS for row in implied(made)]),
        prior_densities=pd.DataFrame([row for made in SETS for row in density_rows(made)]),
        prior_predictive=pd.DataFrame(rows, columns=names),
        main_prior="flat",
    )
    table, check = implied_table(data), predictive_table(data)
    assert table is not None
    assert check is not None
    os = table.frame().set_index("Prior").loc["Flat", "Overall survival"]
    assert "worth: 0.04 events" in os
    assert "median, months: 20.0 (0.0 to >1000)" in os
    # the row that the prior did not expect is marked
    assert [row.mark for row in check.rows].count("conditional") == 1
    assert [picture.key for picture in prior_pictures(data)] == ["prior_effects", "prior_baselines"]


def test_a_study_of_printed_ratios_alone_says_what_its_priors_imply() -> None:
    """Nothing was predicted; the caption speaks of nothing that is not there."""
    ratio = Estimate(
        endpoint="os",
        quantity="hazard_ratio",
        contrast=RATIO,
        method="bayes",
        point=0.5,
        model="log_hazard_ratio",
        prior="flat",
    )
    table = implied_table(report_data(estimates=[ratio], priors=pd.DataFrame([row for made in SETS for row in implied(made)])))
    assert table is not None
    assert list(table.frame().columns) == ["Prior", "Overall survival"]
    assert "worth: 0.04 events" in table.frame().iloc[0, 1]
    assert not any(word in table.caption for word in ("Alone", "cohorts", "Medians"))
