# %% [markdown]
# # A made-up trial from Python: from the printed numbers to the posterior
#
# `python docs/gallery/drug_c.py` runs all of it in a few minutes; with `--quick` the samplers are too small for a paper but done in half a
# minute. Cells begin with `# %%`: editors and Jupyter (through jupytext) show them one by one.

# %%
from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import pandas as pd

import retrial

mpl.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
QUICK = "--quick" in sys.argv
FOLDER = Path(tempfile.mkdtemp()) if QUICK else Path("outputs")
TABLES = {"n_tables": 4, "islands": 2, "particles": 60, "choices": False} if QUICK else {}
SAMPLER = {"pooled_draws": 4000} if QUICK else {}

# %% [markdown]
# ## What the paper prints
# `drug_c.yaml` beside this script has 40 against 42 patients, medians, numbers at risk, a hazard ratio, two counts.

# %%
study = retrial.load_study(HERE / "drug_c.yaml")
print(f"{study.title}: {study.n('control')} against {study.n('experimental')} patients")

# %% [markdown]
# ## Are the numbers right?
# Each printed number that can be recomputed is; a note is a thing to know.

# %%
audit = retrial.audit(study).audit
print(audit["verdict"].value_counts())
print(audit.loc[audit["note"] != "", ["path", "printed", "note"]].to_string(index=False))

# %% [markdown]
# ## What the printed hazard ratio says under several priors
# The normal model of the printed log ratio is in closed form, so that a prior costs nothing. The last one is our own.


# %%
def hazard_ratio(**keys: object) -> dict[str, object]:
    """Hazard ratio of overall survival with its 95 % interval, and P(HR < 1)."""
    rows = retrial.fit(study, endpoints=["os"], **keys).estimates.query("endpoint == 'os' and quantity == 'hazard_ratio'")
    ratio = rows.query("statistic == 'value'").iloc[0]
    below = rows.query("event == 'below' and threshold == 1").iloc[0]
    return {**ratio[["model", "prior", "point", "lower", "upper"]], "P(HR < 1)": below["point"]}


ladder = [
    hazard_ratio(model="log_hazard_ratio", prior=name) for name in ("flat", "sceptical", "strongly_sceptical", "pessimistic")
]
own = {"prior.log_hazard_ratio.mu": -0.1, "prior.log_hazard_ratio.sigma": 0.3}
ladder.append(hazard_ratio(model="log_hazard_ratio", **own))

# %% [markdown]
# ## Life tables that the paper allows
# Events, medians, numbers at risk, hazard ratio and p at once. Every statistic of every table agrees with the print, or it is not a table.

# %%
tables = retrial.reconstruct(study, reconstruction=TABLES)
fidelity = tables.tables["fidelity"]
print(fidelity[["statistic", "arm", "printed", "minimum", "maximum", "agreement"]].to_string(index=False))
life = tables.arrays["reconstruction_os"].to_dataset()
gone = life["events"] + life["censored"]
at_risk = gone.isel(time=slice(None, None, -1)).cumsum("time").isel(time=slice(None, None, -1))
survival = (1 - life["events"] / at_risk.where(at_risk > 0)).cumprod("time")

figure, axes = plt.subplots(figsize=(6, 4))
for arm, colour in (("control", "C0"), ("experimental", "C1")):
    curves = survival.sel(arm=arm).transpose("time", ...).to_numpy()
    axes.step(life["time"], curves, where="post", color=colour, alpha=0.3, linewidth=0.8)
axes.set(xlabel="months", ylabel="overall survival", ylim=(0, 1), title="Tables that carry the printed numbers")
FOLDER.mkdir(exist_ok=True)
figure.savefig(FOLDER / "drug_c.png", dpi=150)

# %% [markdown]
# ## The Weibull model on these tables
# What the paper does not determine widens the interval.

# %%
ladder.append(hazard_ratio(model="weibull", prior="sceptical", reconstruction=TABLES, sampler=SAMPLER))
print(pd.DataFrame(ladder).round(3).to_string(index=False))

# %% [markdown]
# ## What would undo it?
# Reverse-Bayes: the sceptical prior under which the interval just touches 1. E-values: the confounding that would explain the effect away.

# %%
# without the models of life tables: in closed form
tables_too = ("weibull", "weibull_nonproportional", "piecewise_exponential", "printed_posterior")
sensitivity = retrial.sensitivity(study, models=dict.fromkeys(tables_too)).estimates
print(sensitivity[["endpoint", "quantity", "point", "model"]].to_string(index=False))

# %% [markdown]
# ## All of it, with the report
# Kept under `outputs/`, where `retrial reanalyse study=docs/gallery/drug_c.yaml` finds it too.

# %%
if not QUICK:
    results = retrial.reanalyse(study, output_dir=FOLDER)
    print(f"{len(results.estimates)} numbers; report: {results.folder}/report.html; failed: {results.failures or 'nothing'}")
