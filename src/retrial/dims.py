"""Names of dimensions and coordinates: made here, used everywhere, so that nobody indexes by position."""

from __future__ import annotations

CONTROL = "control"
EXPERIMENTAL = "experimental"
ARMS: tuple[str, str] = (CONTROL, EXPERIMENTAL)
TOTAL = "total"

RECONSTRUCTION = "reconstruction"
ARM = "arm"
TIME = "time"
CHAIN = "chain"
DRAW = "draw"
PRIOR = "prior"

TIME_FINE = "time_fine"
POINT, LOWER, UPPER = "point", "lower", "upper"
MODEL, PREDICTIVE, QUANTILE, SURVIVAL, STATUS = "model", "predictive", "quantile", "survival", "status"
PREDICTIVES = ("prior", "posterior")

ANY_GRADE, OTHER_GRADES = "any", "other"
"""Grade groups that end the chain of a term that is not printed in every group: all its patients, or those beside the printed groups."""

RAW = "_raw"
"""End of the name of a variable that is sampled in place of another one, and not kept."""

EVENTS = "events"
CENSORED = "censored"

MONTHS_PER_UNIT: dict[str, float] = {
    "days": 12.0 / 365.25,
    "weeks": 84.0 / 365.25,
    "months": 1.0,
    "years": 12.0,
}
"""Julian year of 365.25 days; every time inside the program is in months."""
