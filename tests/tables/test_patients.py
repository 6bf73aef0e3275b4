"""Reading patients: what a CSV may look like, and what is said of one that cannot be used."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retrial.dims import MONTHS_PER_UNIT
from retrial.errors import DataError
from retrial.tables.life_table import LifeTable
from retrial.tables.patients import read_patients

GOOD = "time,event,arm\n1,1,control\n2.5,0,control\n2.5,1,experimental\n0,0,experimental\n"
Read = Callable[..., LifeTable]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a CSV from its text."""

    def _read(text: str | bytes, time_unit: str = "months") -> LifeTable:
        path = tmp_path / "patients.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_patients(path, time_unit)

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
    ],
    ids=range(12),
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
        ("time;event;arm\n1;1;control\n", ["missing are time, event, arm; separate the columns by commas"]),
        ("time\tevent\tarm\n1\t1\tcontrol\n", ["separate the columns by commas"]),
        ("Time,Event,Arm\n1,1,control\n", ["missing are time, event, arm"]),
        ("time,event,arm,time\n1,1,control,2\n", ["got the column 'time' twice"]),
        ("time,event,arm\n", ["got no patients"]),
        ("", ["got the columns none; missing are time, event, arm"]),
        ("\n\n", ["got the columns none"]),
        ("time,event,arm\n1,1,control\n", ["arm: got nobody in experimental"]),
        ("time,event,arm\n1,1,experimental\n2,0,experimental\n", ["arm: got nobody in control"]),
        (
            "time,event,arm\n-1,2,placebo\nsoon,yes,control\nNaN,,experimental\n,0,experimental\ninf,1,Control\n1e7,0,\n",
            [
                "(patient 1: '-1', patient 2: 'soon', patient 3: 'NaN', patient 4: '', patient 5: 'inf', ...)",
                "event: got 3 bad values (patient 1: '2', patient 2: 'yes', patient 3: '')",
                "arm: got 3 bad values (patient 1: 'placebo', patient 5: 'Control', patient 6: ''); allowed is control",
            ],
        ),
        ("time,event,arm\n1,2,control\n1,0,experimental\n", ["event: got 1 bad value (patient 1: '2'); allowed is 0 or false"]),
        ("time,event,arm\n1,-1,control\n1,0,experimental\n", ["event: got 1 bad value"]),
        ("time,event,arm\n1,0.5,control\n1,0,experimental\n", ["event: got 1 bad value"]),
        ("time,event,arm\n1,NaN,control\n1,0,experimental\n", ["event: got 1 bad value"]),
        (
            "time,event,arm\n1,1,0\n1,0,1\n",
            ["arm: got 2 bad values (patient 1: '0', patient 2: '1'); allowed is control or experimental"],
        ),
        ("time,event,arm\ntrue,1,control\nfalse,0,experimental\n", ["time: got 2 bad values"]),
        ('time,event,arm\n"1,5",1,control\n1,0,experimental\n', ["time: got 1 bad value (patient 1: '1,5')"]),
        (
            "time,event,arm\n1,1,control,\n1,0,experimental,\n",
            ["got 2 rows with another number of cells than the header (patient 1: 4, patient 2: 4); allowed is 3"],
        ),
        (
            "time,event,arm\n1,1,control\n1,0,experimental,9,9\n",
            ["got 1 rows with another number of cells than the header (patient 2: 5)"],
        ),
        ("time,event,arm\n1,1\n1,0,experimental\n", ["(patient 1: 2); allowed is 3"]),
        ("arm,time,event\ncontrol,12,0,1\nexperimental,1,1\n", ["(patient 1: 4); allowed is 3"]),
        ('time,event,arm\n1,1,"control\n1,0,experimental\n', ["EOF inside string"]),
        (b"time,event,arm\n1,1,contr\xf6l\n", ["utf-8"]),
        ("time,event,arm\n1,1,control\n".encode("utf-16"), ["utf-8"]),
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
    with pytest.raises(DataError, match=r"time: got 1 bad value \(patient 300001: 'x'\)"):
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
