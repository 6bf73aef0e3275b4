"""Published data sets as life tables, and studies from a few lines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from lifelines.datasets import load_leukemia, load_rossi, load_waltons

from retrial.study.study import Study
from retrial.tables.life_table import LifeTable


@pytest.fixture(scope="session")
def leukaemia() -> LifeTable:
    """6-MP (experimental) v placebo in leukaemia, weeks to relapse (Freireich 1963; `gehan` in R), the weeks read as months."""
    frame = load_leukemia()
    return LifeTable.from_patients(frame["t"].to_numpy(), frame["status"].to_numpy(), (frame["Rx"] == 0).to_numpy())


@pytest.fixture(scope="session")
def aml() -> LifeTable:
    """Maintained (experimental) and not maintained chemotherapy in acute myeloid leukaemia (Miller 1997; `aml` in R)."""
    maintained = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161]
    maintained_event = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0]
    not_maintained = [5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45]
    not_maintained_event = [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    return LifeTable.from_patients(
        np.array(maintained + not_maintained, dtype=float),
        np.array(maintained_event + not_maintained_event),
        np.repeat([1, 0], [len(maintained), len(not_maintained)]),
    )


@pytest.fixture(scope="session")
def rossi() -> LifeTable:
    """Released prisoners with (experimental) and without financial aid, weeks to arrest (Rossi 1980), the weeks read as months."""
    frame = load_rossi()
    return LifeTable.from_patients(frame["week"].to_numpy(), frame["arrest"].to_numpy(), frame["fin"].to_numpy())


@pytest.fixture(scope="session")
def waltons() -> LifeTable:
    """Days that two groups of flies live (`waltons` of lifelines), the days read as months."""
    frame = load_waltons()
    return LifeTable.from_patients(frame["T"].to_numpy(), frame["E"].to_numpy(), (frame["group"] == "control").to_numpy())


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Study]:
    """A study of the given sections, 49 control and 43 experimental patients unless said otherwise."""

    def make(**sections: object) -> Study:
        arms = {"control": {"n": "49"}, "experimental": {"n": "43"}}
        return Study.model_validate({"title": "a study", "arms": arms, **sections})

    return make
