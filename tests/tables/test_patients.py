"""Reading patients: what a CSV may look like, and what is said of one that cannot be used."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retrial.dims import MONTHS_PER_UNIT
from retrial.errors import DataError
from retrial.study.sections import PatientFile
from retrial.tables.life_table import LifeTable
from retrial.tables.patients import read_patients

GOOD = "time,event,arm\n1,1,control\n2.5,0,control\n2.5,1,experimental\n0,0,experimental\n"
Read = Callable[..., LifeTable]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a CSV from its text."""

    def _read(text: str | bytes, unit: str = "months", labels: dict[str, str] | None = None, **layout: object) -> LifeTable:
        path = tmp_path / "patients.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_patients(path, unit, PatientFile.model_validate({"file": path.name, **layout}), labels).table

    return _read


def rows(table: LifeTable) -> list[tuple[float, int, int]]:
    columns = table.patients()
    return sorted(zip(columns["time"].tolist(), columns["event"].tolist(), columns["experimental"].tolist(), strict=True))


EXPECTED = [(0.0, 0, 1), (1.0, 1, 0), (2.5, 0, 0), (2.5, 1, 1)]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.rstrip("\n"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\n\n"),
        GOOD.encode("utf-8-sig"),
        GOOD.replace(",", ", "),
        GOOD.replace("control", "control ").replace("arm", "arm "),
        GOOD.replace("1,control", "true,control")
        .replace("0,control", "false,control")
        .replace("1,exp", "True,exp")
        .replace("0,exp", "FALSE,exp"),
        GOOD.replace("1,1,control", "1,true,control"),
        GOOD.replace("1,1,control", "1,1.0,control"),
        GOOD.replace("1,1,control", '"1","1","control"'),
        "arm,id,time,note,event\ncontrol,a,1,x,1\ncontrol,b,2.5,,0\nexperimental,c,2.5,NA,1\nexperimental,c,0,x,0\n",
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace(",", ";").replace(".", ","),
        GOOD.replace(",", "\t").replace(".", ","),
        GOOD.replace("2.5", '"2,5"'),
        GOOD.replace("1,control", "1,Control").replace("experimental", "EXPERIMENTAL"),
        GOOD.replace("1,1,", "1e0,1,").replace("0,0,exp", "0.0,0,exp"),
    ],
    ids=range(19),
)
def test_one_file_in_many_hands(read: Read, text: str | bytes) -> None:
    assert rows(read(text)) == EXPECTED


@pytest.mark.parametrize("unit", ["days", "weeks", "months", "years"])
def test_times_become_months(read: Read, unit: str) -> None:
    assert read(GOOD, unit).times == pytest.approx(np.array([0, 1, 2.5]) * MONTHS_PER_UNIT[unit], abs=1e-12)


def test_a_month_is_a_twelfth_of_a_julian_year(read: Read) -> None:
    table = read("time,event,arm\n365.25,1,control\n730.5,0,experimental\n", "days")
    assert table.times == pytest.approx([12.0, 24.0], abs=1e-12)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("time,event\n1,1\n", ["got the columns 'time', 'event'; missing is arm"]),
        ("t,e,a\n1,1,control\n", ["missing are time, event, arm"]),
        ("time event arm\n1 1 control\n", ["missing are time, event, arm"]),
        (
            "Time,status,Arm\n1,1,control\n",
            [
                "missing are time, event, arm; columns of other names are named in the study file:"
                " patients: {file: patients.csv, time: Time, event: ..., arm: Arm}"
            ],
        ),
        ("time,event,arm,time\n1,1,control,2\n", ["got the column 'time' twice"]),
        ("time,event,arm\n", ["got no patients"]),
        ("", ["got the columns none; missing are time, event, arm"]),
        ("\n\n", ["got the columns none"]),
        ("time,event,arm\n1,1,control\n", ["arm: got nobody in experimental"]),
        ("time,event,arm\n1,1,experimental\n2,0,experimental\n", ["arm: got nobody in control"]),
        (
            "time,event,arm\n-1,2,placebo\nsoon,yes,control\n\nNaN,,experimental\n,0,experimental\ninf,1,control\n1e7,0,\n",
            [
                "time missing in 2 rows (line 5: 'NaN', line 6: '')",
                "time that is no number in 2 rows (line 3: 'soon', line 7: 'inf')",
                "time negative in 1 row (line 2: '-1')",
                "time too large in 1 row (line 8: '1e7')",
                "event missing in 1 row (line 5: '')",
                "event of unknown meaning in 2 rows (line 2: '2', line 3: 'yes')",
                "arm missing in 1 row (line 8: '')",
                "arm of unknown name in 1 row (line 2: 'placebo'); allowed are control and experimental and the labels",
            ],
        ),
        (
            "time,event,arm\n1,1,control\n1,2,experimental\n2,1,control\n",
            [
                "event of unknown meaning in 1 row (line 3: '2'); allowed are 1 or true (event) and 0 or false (censored); other values"
                " are said in the study file, such as patients: {file: patients.csv, events: [2], censored: [1]} (or the other way"
                " round); the column has 1 (2), 2 (1)"
            ],
        ),
        ("time,event,arm\n1,-1,control\n1,0,experimental\n", ["event of unknown meaning in 1 row"]),
        ("time,event,arm\n1,0.5,control\n1,0,experimental\n", ["event of unknown meaning in 1 row"]),
        ("time,event,arm\n1,NaN,control\n1,0,experimental\n", ["event missing in 1 row (line 2: 'NaN')"]),
        (
            "time,event,arm\n1,1,0\n1,0,1\n",
            ["arm of unknown name in 2 rows (line 2: '0', line 3: '1')"],
        ),
        ("time,event,arm\ntrue,1,control\nfalse,0,experimental\n", ["time that is no number in 2 rows"]),
        ("time,event,arm\n1_000,1,control\n1,0,experimental\n", ["time that is no number in 1 row (line 2: '1_000')"]),
        (
            'time,event,arm\n"1,500",1,control\n1,0,experimental\n',
            [
                "time: got commas (1,500) that may stand for thousands; write no thousands separator, and write"
                ' patients: {file: patients.csv, decimal: ","}'
            ],
        ),
        (
            'time,event,arm\n"1,5",1,control\n1.5,0,experimental\n',
            ["time: got commas (1,5) beside points; write one decimal mark only"],
        ),
        (
            "time,event,arm\n1,1,control,\n1,0,experimental,\n",
            ["got 2 rows with another number of cells than the header (line 2: 4, line 3: 4); allowed is 3"],
        ),
        (
            "time,event,arm\n1,5,1,control\n1,7,0,experimental\n",
            ["where commas are decimal marks, separate the columns by semicolons"],
        ),
        (
            "time,event,arm\n1,1,control\n1,0,experimental,9,9\n",
            ["got 1 rows with another number of cells than the header (line 3: 5)"],
        ),
        ("time,event,arm\n1,1\n1,0,experimental\n", ["(line 2: 2); allowed is 3"]),
        ("arm,time,event\ncontrol,12,0,1\nexperimental,1,1\n", ["(line 2: 4); allowed is 3"]),
        ('time,event,arm\n1,1,"control\n1,0,experimental\n', ["EOF inside string"]),
        (
            "time,event,arm\n1,1,control\ntime,event,arm\n1,0,experimental\n",
            ["the header again in 1 row (line 3: 'event'); delete the row"],
        ),
        (
            "entry,time,event,arm\n2,5,1,control\n4,4,1,control\n7,6,0,experimental\n,6,0,experimental\n-1,6,0,experimental\n",
            [
                "entry missing in 1 row (line 5: ''); fill in the cell (0 for a patient observed from the start) or delete the row;"
                " where the column is no time of entry, write patients: {file: patients.csv, entry: none}",
                "entry negative in 1 row (line 6: '-1')",
                "entry not before time in 2 rows (line 3: '4', line 4: '7')",
            ],
        ),
        (b"time,event,arm\n1,1,contr\xf6l\n", ["utf-8", "in UTF-8"]),
        ("time,event,arm\n1,1,control\n".encode("utf-16"), ["utf-8", "in UTF-8"]),
    ],
)
def test_bad_files_are_told_all_at_once(read: Read, text: str | bytes, problems: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(text)
    assert caught.value.exit_status == 2
    assert len(caught.value.problems) == len(problems), caught.value.problems
    for found, expected in zip(caught.value.problems, problems, strict=True):
        assert expected in found


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.csv", tmp_path / ("x" * 300)):
        with pytest.raises(DataError):
            read_patients(path, "months")


def test_an_unknown_time_unit_names_the_key(read: Read) -> None:
    with pytest.raises(DataError, match="time_unit"):
        read(GOOD, "fortnights")


def test_a_bad_value_deep_in_a_large_file_is_found_without_a_warning(read: Read) -> None:
    good = "1,1,control\n2,0,experimental\n" * 150_000
    with pytest.raises(DataError, match=r"time that is no number in 1 row \(line 300002: 'x'\)"):
        read("time,event,arm\n" + good + "x,1,control\n")


def test_any_damage_to_the_bytes_ends_in_a_table_or_a_data_error(read: Read) -> None:
    rng, raw = random.Random(7), (GOOD + GOOD.split("\n", 1)[1] * 5).encode()
    answers = {"table": 0, "error": 0}
    tokens = (b"", b",", b"\n", b'"', b"\x00", b"\xff", b"nan", b"1e400", b"-", b"99999999999999999999", b"\r", b"true", b";")
    for _ in range(600):
        damaged = raw
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(len(damaged) + 1)
            damaged = damaged[:start] + rng.choice(tokens) + damaged[start + rng.choice((0, 1, 3)) :]
        try:
            read(damaged)
            answers["table"] += 1
        except DataError as error:
            answers["error"] += 1
            problems = error.problems
            assert problems
    assert min(answers.values()) > 5


OWN = "Tage;Status;Gruppe;Beginn\n1,5;2;A;0\n3;1;A;1,25\n9;2;verum;0\n7;1;verum;0\n"


def test_own_columns_values_and_labels(read: Read) -> None:
    named = {"time": "Tage", "event": "Status", "arm": "Gruppe", "entry": "Beginn", "events": ["2"], "censored": ["1"]}
    table = read(OWN, "months", {"Verum": "experimental"}, arms={"A": "control"}, time_unit="days", **named)
    days = MONTHS_PER_UNIT["days"]
    assert rows(table) == [(t * days, e, a) for t, e, a in ((1.5, 1, 0), (3.0, 0, 0), (7.0, 0, 1), (9.0, 1, 1))]
    assert table.patients()["entry"].tolist() == [0.0, 0.0, 0.0, 1.25 * days]
    with pytest.raises(
        DataError, match=r"arm \(Gruppe\) of unknown name in 2 rows \(line 2: 'A', line 3: 'A'\).*arms: \{A: ...\}"
    ):
        read(OWN, "months", {"Verum": "experimental"}, **named)
    with pytest.raises(DataError, match="missing is Start"):
        read(OWN, "months", {"Verum": "experimental"}, arms={"A": "control"}, **{**named, "entry": "Start"})


def test_a_decimal_mark_that_is_said_is_taken(read: Read) -> None:
    text = "time;event;arm\n1,500;1;control\n2,250;0;experimental\n"
    assert read(text, decimal=",").times.tolist() == [1.5, 2.25]
    with pytest.raises(DataError, match="thousands"):
        read(text)
    with pytest.raises(DataError, match="no number in 2 rows"):
        read(text, decimal=".")


def test_a_column_of_entries_is_read_by_its_name_unless_it_is_none(read: Read) -> None:
    text = "entry,time,event,arm\n2,5,1,control\n0,7,0,control\n1,9,1,experimental\n"
    late = read(text).late
    assert late is not None
    assert late.count.sum() == 2
    assert read(text, entry="none").late is None
    assert read(text.replace("2,5", "0,5").replace("1,9", "0,9")).late is None


def test_many_bad_rows_are_counted_and_few_shown(read: Read) -> None:
    with pytest.raises(DataError) as caught:
        read("time,event,arm\n" + "-1,1,control\n" * 500 + "1,1,experimental\n")
    (problem,) = caught.value.problems
    assert "time negative in 500 rows (line 2: -1," in problem
    assert problem.count("line ") == 10
