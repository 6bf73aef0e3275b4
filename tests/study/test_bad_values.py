"""Every kind of value that a study file may not hold: one fault, one problem, at its key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Problems = Callable[[str | bytes], list[str]]

BASE = """title: t
arms: {control: {n: 40}, experimental: {n: 40}}
"""


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("time_unit: fortnights", "time_unit", "'days', 'weeks', 'months' or 'years'"),
        ("randomised: perhaps", "randomised", "true or false"),
        ("design: true", "design", "quotes"),
        ("design:", "design", "got nothing"),
        ("endpoints:", "endpoints", "got nothing; allowed is a mapping"),
        ("citation: someone", "citation", "allowed is a mapping"),
        ("binary: {a b: {control: 1, experimental: 2}}", "binary.a b", "name of up to 64"),
        ("binary: {a.b: {control: 1, experimental: 2}}", "binary.a.b", "name of up to 64"),
        ("binary: {a: {control: 1}}", "binary.a.experimental", "missing"),
        ("binary: {a: {control: 1, experimental: 41}}", "binary.a.experimental", "41 of 40 patients"),
        ("binary: {a: {control: -1, experimental: 1}}", "binary.a.control", "whole number"),
        ("binary: {a: {control: 1.0, experimental: 1}}", "binary.a.control", "whole number"),
        ("binary: {a: {control: <5, experimental: 1}}", "binary.a.control", "whole number"),
        ("binary: {a: {control: [1], experimental: 1}}", "binary.a.control", "a list of 1"),
        ("binary: {a: {control: 5 (12%), experimental: 1}}", "binary.a.control", "number as printed"),
        ("binary: {a: {control: {n: 5, percent: 112}, experimental: 1}}", "binary.a.control.percent", "from 0 to 100"),
        (
            "binary: {a: {control: {n: 5, share: 12}, experimental: 1}}",
            "binary.a.control.share",
            "unknown key; allowed here are n, percent",
        ),
        ("binary: {a: {control: {n: 5%}, experimental: 1}}", "binary.a.control.n", "whole number"),
        ("binary: {a: {control: 1, experimental: 2, p: 1.2}}", "binary.a.p", "from 0 to 1"),
        ("binary: {a: {control: 1, experimental: 2, p: 5%}}", "binary.a.p", "from 0 to 1"),
        ("binary: {a: {control: 1, experimental: 2, p: 1e-5}}", "binary.a.p", "no exponent"),
        ("binary: {a: {control: 1, experimental: 2, p: .nan}}", "binary.a.p", "number as printed"),
        ("binary: {a: {control: 1, experimental: 2, chi_square: -3}}", "binary.a.chi_square", "0 or more"),
        ("binary: {a: {control: 1, experimental: 2, good: 7}}", "binary.a.good", "true or false"),
        ("effects: {e: {ci: [0.2, 0.4]}}", "effects.e", "got none of hazard_ratio"),
        ("effects: {e: {hazard_ratio: 0.3, odds_ratio: 0.3}}", "effects.e", "exactly one"),
        ("effects: {e: {hazard_ratio: 0}}", "effects.e.hazard_ratio", "above 0"),
        ("effects: {e: {hazard_ratio: <0.5}}", "effects.e.hazard_ratio", "above 0"),
        ("effects: {e: {hazard_ratio: 1e400}}", "effects.e.hazard_ratio", "no exponent"),
        ("effects: {e: {log_hazard_ratio: 1000}}", "effects.e.log_hazard_ratio", "from -27 to 27"),
        ("effects: {e: {log_odds_ratio: -27.1}}", "effects.e.log_odds_ratio", "from -27 to 27"),
        ("effects: {e: {log_risk_ratio: 0.1, se: 900}}", "effects.e.se", "above 0 and at most 50"),
        ("effects: {e: {hazard_ratio: 0.3, se: 0}}", "effects.e.se", "above 0 and at most 50"),
        ("effects: {e: {hazard_ratio: 0.3, ci: [0.4, 0.2]}}", "effects.e.ci", "upside down"),
        ("effects: {e: {hazard_ratio: 0.3, ci: [0.3, 0.3]}}", "effects.e.ci", "lower < upper"),
        ("effects: {e: {hazard_ratio: 0.30, ci: [0.4, 0.6]}}", "effects.e.ci", "hazard_ratio is 0.30"),
        ("effects: {e: {hazard_ratio: 0.3, ci: [0.0, 0.6]}}", "effects.e.ci", "above 0 for a ratio"),
        ("effects: {e: {hazard_ratio: 0.3, ci: 0.2 0.6}}", "effects.e.ci", "list of two limits"),
        ("effects: {e: {hazard_ratio: 0.3, ci: [0.2, 0.3, 0.4]}}", "effects.e.ci", "list of two limits"),
        ("effects: {e: {hazard_ratio: 0.3, ci: [0.2, NR]}}", "effects.e.ci", "got the limit NR; allowed are numbers"),
        ("effects: {e: {hazard_ratio: 0.3, ci: [<0.2, 0.4]}}", "effects.e.ci", "plain number"),
        ("effects: {e: {hazard_ratio: 0.3, level: 95}}", "effects.e.level", "0.95, or 95%"),
        ("effects: {e: {hazard_ratio: 0.3, level: nan}}", "effects.e.level", "number as printed"),
        ("effects: {e: {hazard_ratio: 0.3, level: {a: 0.95}}}", "effects.e.level", "0.95, or 95%"),
        ("effects: {e: {hazard_ratio: 0.3, numerator: control}}", "effects.e.numerator", "two different names"),
        ("effects: {e: {hazard_ratio: 0.3, denominator: placebo}}", "effects.e.denominator", "names that are no arm"),
        (
            "effects: {e: {hazard_ratio: 0.3, label_direction: backwards}}",
            "effects.e.label_direction",
            "'as_printed' or 'reversed'",
        ),
        ("effects: {e: {hazard_ratio: 0.3, adjusted_for: age}}", "effects.e.adjusted_for", "a list"),
        ("effects: {e: {hazard_ratio: 0.3, endpoint: pfs}}\nendpoints: {os: {}}", "effects.e.endpoint", "allowed are os"),
        ("endpoints: {os: {events: {control: 44}}}", "endpoints.os.events.control", "44 events of 40 patients"),
        ("endpoints: {os: {events: {total: 81}}}", "endpoints.os.events.total", "81 events of 80 patients"),
        ("endpoints: {os: {shortest: 9, longest: 8}}", "endpoints.os.shortest", "shortest <= longest"),
        ("endpoints: {os: {shortest: -1}}", "endpoints.os.shortest", "0 or more"),
        ("endpoints: {os: {median: {control: {ci: [1, 2]}}}}", "endpoints.os.median.control.value", "missing"),
        ("endpoints: {os: {median: {control: {value: 9, ci: [1, 2]}}}}", "endpoints.os.median.control.ci", "the median is 9"),
        ("endpoints: {os: {recorded: monthly}}", "endpoints.os.recorded", "'exact', 'nearest', 'floor', 'ceiling' or 'interval'"),
        ("endpoints: {os: {at_risk: {times: [], control: []}}}", "endpoints.os.at_risk.times", "at least one"),
        ("endpoints: {os: {at_risk: {times: [0, 0], control: [4, 3]}}}", "endpoints.os.at_risk.times", "increasing"),
        ("endpoints: {os: {at_risk: {times: [0, 5], control: [4]}}}", "endpoints.os.at_risk.control", "1 numbers for 2 times"),
        ("endpoints: {os: {at_risk: {times: [0, 5], control: [4, 5]}}}", "endpoints.os.at_risk.control", "never rise"),
        ("endpoints: {os: {at_risk: {times: [0, 5], control: [41, 5]}}}", "endpoints.os.at_risk.control", "41 of 40"),
        ("endpoints: {os: {patients: nowhere.csv}}", "endpoints.os.patients", "there is no such file"),
        ("endpoints: {os: {patients: curves}}", "endpoints.os.patients", "there is no such file"),
        ("endpoints: {os: {patients: ''}}", "endpoints.os.patients", "a path"),
        ("endpoints: {os: {patients: /etc/passwd}}", "endpoints.os.patients", "one folder up"),
        ("endpoints: {os: {patients: ../../secret.csv}}", "endpoints.os.patients", "one folder up"),
        ("endpoints: {os: {patients: curves/../../../x.csv}}", "endpoints.os.patients", "one folder up"),
        ("endpoints: {os: {curve: 'C:\\x.csv'}}", "endpoints.os.curve", "one folder up"),
        (f"endpoints: {{os: {{curve: {'x' * 300}.csv}}}}", "endpoints.os.curve", "there is no such file"),
        ('endpoints: {os: {curve: "a\\0b.csv"}}', "endpoints.os.curve", "control character U+0000"),
        ("timeline: {cut_off: 2020-13}", "timeline.cut_off", "2020-01"),
        ("timeline: {cut_off: 2021-02-29}", "timeline.cut_off", "2020-01"),
        ("timeline: {cut_off: 2020}", "timeline.cut_off", "2020-01"),
        ("timeline: {cut_off: 20200101}", "timeline.cut_off", "2020-01"),
        ("timeline: {accrual_end: 2022-06, cut_off: 2022-05-31}", "timeline.cut_off", "before timeline.accrual_end"),
        (
            "timeline: {accrual_start: 2022-06-05, accrual_end: 2022-06-04}",
            "timeline.accrual_end",
            "before timeline.accrual_start",
        ),
        ("baseline: {variables: {}}", "baseline.variables", "at least one"),
        ("baseline: {variables: {age: {label: Age}}}", "baseline.variables.age", "neither levels nor means"),
        ("baseline: {variables: {age: {control: 5 ± 2}}}", "baseline.variables.age", "got control; allowed is either"),
        ("baseline: {variables: {age: {control: 5, experimental: 6 ± 1}}}", "baseline.variables.age.control", "mean ± SD"),
        (
            "baseline: {variables: {age: {control: 5 ± -1, experimental: 6 ± 1}}}",
            "baseline.variables.age.control",
            "SD of 0 or more",
        ),
        ("baseline: {variables: {age: {control: 5% ± 1%, experimental: 6 ± 1}}}", "baseline.variables.age.control", "plain mean"),
        (
            "baseline: {variables: {age: {total: 5 ± 1, levels: {a: {control: 1, experimental: 2}}}}}",
            "baseline.variables.age",
            "got levels and total",
        ),
        (
            "baseline: {variables: {sex: {levels: {f: {control: 41, experimental: 2}}}}}",
            "baseline.variables.sex.levels.f.control",
            "41 of 40",
        ),
        ("response: {categories: {}}", "response.categories", "at least one"),
        (
            "response: {categories: {CR: ROW}, composites: {ORR: {of: [CR, PR], control: 1, experimental: 2}}}",
            "response.composites.ORR.of",
            "'PR'; allowed are CR",
        ),
        (
            "response: {categories: {CR: ROW}, composites: {ORR: {of: [CR, CR], control: 1, experimental: 2}}}",
            "response.composites.ORR.of",
            "each name once",
        ),
        (
            "tests: {t: {rows: {r: {results: {pfs: {p: 0.1}}}}}}\nendpoints: {os: {}}",
            "tests.t.rows.r.results",
            "'pfs'; allowed are os",
        ),
        ("tests: {t: {rows: {r: {groups: 1, results: {os: {p: 0.1}}}}}}", "tests.t.rows.r.groups", "greater than or equal to 2"),
        ("tests: {t: {rows: {r: {results: {os: {df: 1.5}}}}}}", "tests.t.rows.r.results.os.df", "integer"),
        (
            "adverse_events: {terms: {a: {grades: {any: ROW}}}, rankings: [{arm: total, grade: any, terms: [b]}]}",
            "adverse_events.rankings.0.terms",
            "'b'; allowed are a",
        ),
        (
            "adverse_events: {terms: {a: {grades: {any: ROW}}}, rankings: [{arm: both, grade: any, terms: [a]}]}",
            "adverse_events.rankings.0.arm",
            "'control', 'experimental' or 'total'",
        ),
        (
            "adverse_events: {terms: {a: {grades: {any: ROW}}}, rankings: [{arm: total, grade: 5, terms: [a]}]}",
            "adverse_events.rankings.0.grade",
            "'5'; allowed are any",
        ),
    ],
)
def test_one_fault_gives_one_problem_at_its_key(problems: Problems, text: str, path: str, words: str) -> None:
    found = problems(BASE + text.replace("ROW", "{control: 1, experimental: 2}") + "\n")
    assert len(found) == 1, found
    assert found[0].startswith(f"{path}: "), found
    assert words in found[0], found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", "title: missing; this key is needed"),
        ("title: [a]", "title: got a list of 1; allowed is text"),
        ("title: t\narms: {control: {n: 0}}", "arms.control.n: got 0; allowed is at least 1 patient"),
        ("title: t\narms: {control: {n: 1000000000000}}", "arms.control.n: got '1000000000000'"),
        (
            "title: t\narms: {control: {n: 5}}\nbinary: {a: {control: 1, experimental: 2}}",
            "arms.experimental.n: missing; needed by binary",
        ),
        ("title: t\nendpoints: {os: {events: {total: 5}}}", "arms.control.n: missing; needed by endpoints.os"),
        ("title: t\ntotal: {n: 30}\nendpoints: {os: {events: {total: 31}}}", "endpoints.os.events.total: got 31 events of 30"),
    ],
)
def test_faults_at_the_top(problems: Problems, text: str, found: str) -> None:
    assert any(problem.startswith(found) for problem in problems(text)), problems(text)
