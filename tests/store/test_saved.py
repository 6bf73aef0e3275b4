"""Values stored and read again: exact for all that stages return, one hash for one value, and nothing foreign is built."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from retrial.audit.check import Verdict
from retrial.errors import DataError, ReconstructionError, StoreError
from retrial.estimate import Estimate
from retrial.fit.settings import SamplerSettings
from retrial.seeds import integer_seed
from retrial.store.saved import Decoder, Encoder, digest, document, read_all, write_all
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import RatioReading


def again(value: Any) -> Any:
    """The value after it was written and read."""
    encoder = Encoder()
    plain = encoder.plain(value)
    stream = io.BytesIO()
    write_all(encoder.arrays, stream)
    return Decoder(read_all(stream), encoder.trees).value(json.loads(document(plain)))


def form(value: Any) -> tuple[str, bytes]:
    """Everything that is written of a value."""
    encoder = Encoder()
    text = document(encoder.plain(value))
    stream = io.BytesIO()
    write_all(encoder.arrays, stream)
    return text, stream.getvalue()


def same(one: Any, two: Any) -> bool:
    """Equal in type, order and every bit (NaN is NaN, and -0.0 is not 0.0)."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return repr(one) == repr(two)
    if isinstance(one, np.ndarray):
        content = (
            one.tobytes() == two.tobytes()
            if one.dtype != object
            else all(same(a, b) for a, b in zip(one.ravel(), two.ravel(), strict=True))
        )
        return one.dtype == two.dtype and one.shape == two.shape and content
    if isinstance(one, dict):
        return same(list(one.items()), list(two.items()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    if isinstance(one, np.generic):
        return one.tobytes() == two.tobytes()
    return one == two


ARRAYS = st.one_of(
    nps.arrays(
        st.one_of(nps.floating_dtypes(endianness="<"), nps.integer_dtypes(endianness="<"), nps.boolean_dtypes()),
        nps.array_shapes(min_dims=0, min_side=0),
    ),
    nps.arrays(
        np.dtype("<U5"),
        nps.array_shapes(min_side=0),
        elements=st.text(st.characters(exclude_categories=("Cs",), min_codepoint=1), max_size=5),
    ),
)
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.just(math.nan),
    st.text(),
    st.sampled_from(Verdict),
    st.floats().filter(lambda x: x == x).map(np.float64),
    st.integers(-(2**31), 2**31).map(np.int64),
)
KEYS = st.one_of(st.text(), st.integers(), st.tuples(st.text(), st.integers()))
VALUES = st.recursive(
    st.one_of(ATOMS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
@settings(deadline=None, max_examples=300)
def test_values_come_back_exactly(value: Any) -> None:
    assert same(again(value), value)


@given(VALUES, VALUES)
@settings(deadline=None, max_examples=200)
def test_other_values_have_another_hash(one: Any, two: Any) -> None:
    assert (digest(one) == digest(two)) == same(one, two)


@given(
    st.lists(st.floats(), min_size=1, max_size=5),
    st.lists(st.one_of(st.text(), st.none(), st.integers()), min_size=1, max_size=5),
)
@settings(deadline=None)
def test_frames_come_back_exactly(numbers: list[float], objects: list[Any]) -> None:
    size = min(len(numbers), len(objects))
    frame = pd.DataFrame({"x": numbers[:size], "n": range(size), "o": pd.Series(objects[:size], dtype=object), "b": True})
    pd.testing.assert_frame_equal(again(frame), frame, check_exact=True, check_index_type="exact")  # type: ignore[arg-type]
    assert form(again(frame)) == form(frame)


def test_frames_of_every_shape() -> None:
    for frame in (
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame([[1, 2.5]], columns=["x", "x"], index=pd.Index([7], name="row")),
        pd.DataFrame([[1]], index=["a"]).rename_axis(columns="statistic"),
    ):
        pd.testing.assert_frame_equal(again(frame), frame)


def test_xarray_comes_back_exactly() -> None:
    data = xr.Dataset(
        {"s": (("arm", "time"), [[0.1, math.nan], [0.3, -0.0]], {"unit": "1"}), "name": ("arm", ["a", "bb"])},
        {"arm": ["control", "experimental"], "time": [0.0, 1.5], "label": ("time", ["x", "y"])},
        {"level": 0.95, "notes": "α"},
    )
    xr.testing.assert_identical(again(data), data)
    array = data["s"].rename("survival")
    xr.testing.assert_identical(again(array), array)
    table = LifeTable.from_counts([1, 2], [[1, 0], [0, 2]], [[0, 1], [1, 0]])
    xr.testing.assert_identical(again(table).data, table.data)
    stacked = xr.Dataset(coords={"x": [0, 1], "y": [0, 1]}).stack(z=("x", "y"))
    with pytest.raises(TypeError):
        again(stacked)


def test_dataclasses_enums_and_errors_of_ours() -> None:
    row = Estimate(**_row())
    assert form(again([row, row])) == form([row, row])
    assert type(again(row)) is Estimate
    assert again(SamplerSettings()) == SamplerSettings()
    assert again(ReconstructionSettings()) == ReconstructionSettings()
    assert again(MappingProxyType({"a": 1})) == MappingProxyType({"a": 1})
    assert again(tuple(RatioReading)) == tuple(RatioReading)
    error = again(DataError("nothing to fit", ["a: b"]))
    assert (type(error), str(error)) == (DataError, "nothing to fit\n  - a: b")
    assert str(again(ReconstructionError("no table"))) == "no table"


def _row() -> dict[str, Any]:
    defaults = {"str": "x", "float": 0.1, "int": 3}
    return {
        field.name: defaults.get(str(field.type), "frequentist")
        for field in dataclasses.fields(Estimate)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }


@dataclasses.dataclass(frozen=True)
class Foreign:
    """Not of `retrial`."""

    x: int = 1


@pytest.mark.parametrize(
    "value",
    [
        Foreign(),
        object(),
        {1},
        b"x",
        1j,
        np.array([1j]),
        lambda: 1,
        len,
        integer_seed,
        pd.Series([1]),
        np.array(["2020"], dtype="M8[D]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_built_again_is_refused_when_writing(value: Any) -> None:
    with pytest.raises(TypeError):
        again({"deep": [value]})


@pytest.mark.parametrize(
    "plain",
    [
        {"os:system": ["true"]},
        {"retrial.store.folders:shutil": []},
        {"retrial.store.folders:finish": [1, 2]},
        {"retrial.store.folders:Path": ["/"]},
        {"retrial.cli:main": []},
        {"retrial.nowhere:X": []},
        {"retrial.estimate:Estimate": [1]},
        {"retrial.audit.check:Verdict": "no such"},
        {"unknown": 1},
        {"array": 9},
        {"scalar": ["object", 1]},
        {"a": 1, "b": 2},
        {},
    ],
    ids=str,
)
def test_nothing_foreign_is_built_when_reading(plain: Any) -> None:
    with pytest.raises(StoreError, match="not a stored value"):
        Decoder().value(plain)


def test_functions_are_hashed_by_name_and_their_modules_told() -> None:
    hashed, modules = digest({"build": partial(integer_seed, 1, cuts=np.array([1.0]))})
    assert modules == {"retrial.seeds"}
    assert hashed != digest({"build": partial(integer_seed, 1, cuts=np.array([2.0]))})[0]


def test_functions_in_functions_are_told_apart_by_place_and_content() -> None:
    def holding(value: int) -> Callable[[], int]:
        return lambda: value

    one, two = (lambda: 1), (lambda: 2)
    assert len({digest(item)[0] for item in (one, two, holding(1), holding(2))}) == 4
    assert digest(holding(1)) == digest(holding(1))


def test_threads_change_no_key() -> None:
    assert digest(SamplerSettings(threads=1)) == digest(SamplerSettings(threads=3))
    assert digest(ReconstructionSettings(threads=1)) == digest(ReconstructionSettings(threads=3))
    assert digest(ReconstructionSettings(n_tables=5)) != digest(ReconstructionSettings(n_tables=6))


def test_the_order_of_a_mapping_counts_and_of_a_set_does_not() -> None:
    assert digest({"a": 1, "b": 2}) != digest({"b": 2, "a": 1})
    assert digest(frozenset(["a", "b", "c"])) == digest(frozenset(["c", "b", "a"]))


CODE = """
import numpy as np
from retrial.store.saved import digest
from retrial.tables.printed.readings import RatioReading
from retrial.fit.settings import SamplerSettings
print(digest({"x": frozenset(["a", "b", "c"]), "r": tuple(RatioReading), "s": SamplerSettings(), "a": np.arange(5) / 7})[0])
"""


def test_the_hash_is_the_same_in_every_process() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed, "PATH": ""}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop().strip()) == 64
