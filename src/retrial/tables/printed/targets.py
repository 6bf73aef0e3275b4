"""`Targets`: everything that a paper prints about one time-to-event endpoint, with the tolerances of agreement."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from retrial.dims import MONTHS_PER_UNIT
from retrial.errors import ConfigError
from retrial.tables.printed.digitised import Curve

RELATIVE_TOLERANCE = 0.005
"""Default agreement (METHODS 4): 0.5 % of a hazard ratio, of its limits, of χ², or of the width of a median's interval."""
EXACT = ("events", "shortest", "longest", "median", "at_risk", "censored")
"""Statistics that must agree exactly under either rule."""
_SAME = 1e-6
"""Grid steps by which a time may miss a grid time: binary fractions."""
GROUPS: dict[str, tuple[str, ...]] = {
    "events": ("events",),
    "shortest": ("shortest",),
    "longest": ("longest",),
    "median": ("median",),
    "median_ci": ("median_lower", "median_upper"),
    "at_risk": ("at_risk",),
    "censored": ("censored",),
    "landmark": ("landmark",),
    "hazard_ratio": ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper", "hazard_ratio_p"),
    "chi_square": ("chi_square", "p"),
    "survival": ("survival",),
}
"""What is left out together when one statistic is left out."""


@dataclass(frozen=True, slots=True)
class Target:
    """One printed number.

    statistic  a name in `GROUPS`
    arm        control, experimental or total
    printed    the text
    value      the printed value (hazard ratios experimental / control)
    low, high  default agreement; strict_low, strict_high  the values that print as the text
    time       of numbers at risk and survival probabilities, in the study's unit; NaN otherwise
    level      of the confidence interval that a limit belongs to
    """

    statistic: str
    arm: str
    printed: str
    value: float
    low: float
    high: float
    strict_low: float
    strict_high: float
    where: str = ""
    time: float = float("nan")
    level: float = 0.95

    @property
    def name(self) -> str:
        at = "" if self.time != self.time else f"@{self.time:g}"
        return f"{self.statistic}{at}.{self.arm}"


@dataclass(frozen=True, slots=True)
class Targets:
    """Printed numbers of one endpoint on the grid of recorded times first, first + step, ..., last (in `time_unit`).

    `notes` say what was decided while building (the recording unit, the grid's end, a printed p that is no constraint), `left_out` which
    printed numbers the audit refused beforehand. `curve` is the digitised curve as given. `assumed` are groups of numbers that rest on an
    assumption of the study file, with its reason; a follow-up up to `excluded` (in `time_unit`) was a ground to be left out; nobody is censored
    before `followed`.
    """

    endpoint: str
    n_control: int
    n_experimental: int
    first: float
    last: float
    step: float
    time_unit: str
    targets: tuple[Target, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    curve: Curve | None = None
    assumed: tuple[tuple[str, str], ...] = ()
    excluded: float = math.nan
    followed: float = math.nan

    @property
    def n_times(self) -> int:
        return round((self.last - self.first) / self.step) + 1

    @property
    def times(self) -> tuple[float, ...]:
        """Grid in the study's unit; recorded times are rounded to the step's decimals."""
        return tuple(round(self.first + i * self.step, 9) for i in range(self.n_times))

    @property
    def months(self) -> tuple[float, ...]:
        return tuple(round(time * MONTHS_PER_UNIT[self.time_unit], 9) for time in self.times)

    def places(self, low: float, high: float) -> tuple[int, int]:
        """First and last grid index of the times in [low, high]; (i + 1, i) where none is between. Index `n_times` stands for never."""
        if low == math.inf:
            return self.n_times, self.n_times
        first = math.ceil((low - self.first) / self.step - _SAME) if math.isfinite(low) else 0
        if math.isinf(high):
            return min(max(first, 0), self.n_times), self.n_times
        return min(max(first, 0), self.n_times), min(math.floor((high - self.first) / self.step + _SAME), self.n_times - 1)

    @property
    def ruled_out(self) -> int:
        """First grid times at which nobody is censored where the excluded follow-up was censored; 0 where the study says of none, or it is not
        within the grid.
        """
        last = self.places(-math.inf, self.excluded)[1] if math.isfinite(self.excluded) else -1
        return last + 1 if self.uncensored <= last < self.n_times - 1 else 0

    @property
    def uncensored(self) -> int:
        """First grid times at which nobody is censored because everybody was followed for longer; never the last one."""
        if not math.isfinite(self.followed):
            return 0
        return min(self.places(self.followed, math.inf)[0], self.n_times - 1)

    def find(self, statistic: str, arm: str = "total") -> Target | None:
        return next((item for item in self.targets if item.statistic == statistic and item.arm == arm), None)

    def all(self, statistic: str, arm: str | None = None) -> tuple[Target, ...]:
        return tuple(item for item in self.targets if item.statistic == statistic and arm in (None, item.arm))

    def without(self, *names: str) -> Targets:
        """Copy that does not know some numbers: a group ("hazard_ratio"), or one arm's ("median_ci.control").

        The grid stays as it is, so that answers can be compared.
        """
        dropped: set[str] = set()
        for name in names:
            group, _, arm = name.partition(".")
            matching = [
                item.name
                for item in self.targets
                if group in GROUPS and item.statistic in GROUPS[group] and arm in ("", item.arm)
            ]
            if not matching:
                raise ConfigError(
                    f"cannot leave {name!r} out of {self.endpoint}", [f"got {name!r}; allowed are {', '.join(self.names)}"]
                )
            dropped.update(matching)
        return dataclasses.replace(self, targets=tuple(item for item in self.targets if item.name not in dropped))

    @property
    def names(self) -> tuple[str, ...]:
        """Groups that can be left out, with the arm where there are several."""
        return tuple(
            dict.fromkeys(
                f"{group}.{item.arm}" for item in self.targets for group, members in GROUPS.items() if item.statistic in members
            )
        )
