"""The fidelity study in one table: summary.csv from the cases' rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / "results"
"""The committed tables."""
SUMMARY = "summary"
ARMS = ("control", "experimental")
SURVIVAL = tuple(f"survival_{at}_{arm}" for at in ("third", "two_thirds") for arm in ARMS)
RMST = tuple(f"rmst_{arm}" for arm in ARMS)


def cases(kind: str, folder: Path = RESULTS) -> pd.DataFrame:
    """The committed rows of one kind."""
    return pd.read_csv(folder / f"{kind}.csv")


def summary(kind: str, folder: Path = RESULTS) -> dict[str, object]:
    """Shares, errors and coverages of one kind of printed numbers, each with the Monte Carlo error of a share or a mean."""
    frame = cases(kind, folder)
    agreed = frame[frame["agreed"]]
    relative = 100 * agreed["rmst_difference_error"].abs() / agreed["horizon"]
    months = agreed[agreed["unit"] == "months"]
    covered = agreed["rmst_difference_covered"].astype(float)
    survival = agreed[[f"{name}_covered" for name in SURVIVAL]].astype(float).mean(axis=1)
    return {
        "kind": kind,
        "cases": len(frame),
        "agreed_percent": 100 * frame["agreed"].mean(),
        "log_hazard_ratio_largest_error": agreed["log_hazard_ratio_error"].abs().max(),
        "rmst_difference_error_percent_of_horizon": relative.mean(),
        "rmst_difference_error_percent_se": relative.std() / np.sqrt(len(relative)),
        "rmst_difference_error_months": months["rmst_difference_error"].abs().mean(),
        "rmst_arm_error_months": months[[f"{name}_error" for name in RMST]].abs().to_numpy().mean(),
        "rmst_difference_covered_percent": 100 * covered.mean(),
        "rmst_difference_covered_se": 100 * covered.std() / np.sqrt(len(covered)),
        "survival_error": agreed[[f"{name}_error" for name in SURVIVAL]].abs().to_numpy().mean(),
        "survival_covered_percent": 100 * survival.mean(),
        "survival_covered_se": 100 * survival.std() / np.sqrt(len(survival)),
    }


def write_summary(folder: Path) -> None:
    """Write summary.csv from the tables of cases in `folder`."""
    kinds = [path.stem for path in sorted(folder.glob("*.csv")) if path.stem != SUMMARY]
    frame = pd.DataFrame([summary(kind, folder) for kind in kinds])
    frame.to_csv(folder / f"{SUMMARY}.csv", index=False, float_format="%.3g")
