"""From composed YAML to frozen dataclasses: names, refusals, all problems at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module

from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.errors import ConfigError
from retrial.run_config import RunConfig

STUDY = Path("yao2025.yaml")


def asked(verb: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_module("retrial.conf", version_base="1.3"):
        return plain(compose(verb, list(overrides)))


def configured(verb: str, *overrides: str, **names: str) -> RunConfig:
    return run_config(asked(verb, *overrides), verb, STUDY, names)


def test_the_main_job_has_the_named_priors_and_models() -> None:
    run = configured("reanalyse", prior="flat")
    assert run.main_prior == "flat"
    assert {
        "flat",
        "sceptical",
        "strongly_sceptical",
        "optimistic",
        "pessimistic",
        "empirical",
        "class_effect",
        "jeffreys",
    } <= set(run.priors)
    hierarchical = {"response_hierarchical", "response_borrowing", "adverse_events_hierarchical"}
    survival = {"weibull", "weibull_nonproportional", "piecewise_exponential"}
    assert (
        set(run.models)
        == {"log_hazard_ratio", "multivariable_normal", "printed_posterior", "response_binomial"} | survival | hierarchical
    )
    assert run.models["weibull"].hazard_of() is not None


def test_secondary_models_have_fewer_prior_sets_and_the_main_one_always() -> None:
    run = configured("reanalyse", "prior=class_effect", prior="class_effect")
    assert run.sets_for(run.models["weibull"]) == run.priors
    fewer = run.sets_for(run.models["piecewise_exponential"])
    assert next(iter(fewer)) == "class_effect"
    assert {"flat", "sceptical", "strongly_sceptical", "optimistic", "pessimistic", "empirical"} < set(fewer) < set(run.priors)


def test_a_model_is_left_out_by_null_and_takes_the_sets_that_it_is_given() -> None:
    run = configured("reanalyse", "models.weibull=null", "models.piecewise_exponential.prior_sets=[sceptical]", prior="flat")
    assert "weibull" not in run.models
    assert list(run.sets_for(run.models["piecewise_exponential"])) == ["flat", "sceptical"]
    with pytest.raises(
        ConfigError, match=r"models.piecewise_exponential.prior_sets: got cautious; allowed are all, class_effect"
    ):
        configured("reanalyse", "models.piecewise_exponential.prior_sets=[cautious]")


def test_models_choose_their_adaptation_unless_the_sampler_does() -> None:
    run = configured("reanalyse")
    chosen = {name: run.sampler_for(spec).adaptation.value for name, spec in run.models.items()}
    assert (chosen["weibull"], chosen["piecewise_exponential"]) == ("low_rank", "diag")
    run = configured("reanalyse", "sampler.adaptation=diag")
    assert {run.sampler_for(spec).adaptation.value for spec in run.models.values()} == {"diag"}
    with pytest.raises(ConfigError, match=r"models.weibull.adaptation: got model; allowed are diag, low_rank"):
        configured("reanalyse", "models.weibull.adaptation=model")


def test_a_prior_of_the_command_line_comes_first_as_custom() -> None:
    run = configured("reanalyse", "prior.log_hazard_ratio.mu=0", "prior.log_hazard_ratio.sigma=0.5", prior="custom")
    assert run.main_prior == "custom"
    assert run.priors["custom"]["log_hazard_ratio"].parameters == (0.0, 0.5)
    assert "flat" in run.priors


def test_a_chosen_prior_keeps_its_name() -> None:
    run = configured("fit", "prior=sceptical", prior="sceptical", model="weibull")
    assert list(run.priors) == ["sceptical"]
    assert list(run.models) == ["weibull"]


def test_a_chosen_set_leads_the_named_ones() -> None:
    assert configured("reanalyse", "prior=sceptical", prior="sceptical").main_prior == "sceptical"


def test_all_problems_are_reported_at_once() -> None:
    raw = asked(
        "reanalyse",
        "seed=-1",
        "sampler.chains=0",
        "sampler.engine=stan",
        "sampler.limits.rhat=0.5",
        "answers.level=2",
        "prior.log_hazard_ratio.sigma=-1",
    )
    with pytest.raises(ConfigError) as error:
        run_config(raw, "reanalyse", STUDY)
    text = str(error.value)
    for key in (
        "seed",
        "sampler.chains",
        "sampler.engine",
        "sampler.limits.rhat",
        "answers.level",
        "prior.log_hazard_ratio.sigma",
    ):
        assert key in text
    assert "allowed are nutpie, pymc, numpyro" in text


def test_an_acceptance_that_no_sampler_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sampler\.target_accept: got 2\.0; allowed is above 0 and below 1"):
        run_config(asked("reanalyse", "sampler.target_accept=2.0"), "reanalyse", STUDY)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "retrial",
        "retrialx.models.f",
        None,
        # what a module merely imports, however it is reached
        "retrial.pipeline.reanalyse.pd.read_pickle",
        "retrial.store.folders.Path.unlink",
        "retrial.models.weibull.np.load",
        "retrial.models.weibull.observe",
        "retrial.models.weibull.effect_prior",
        # what is no function, or no file of the package
        "retrial.models.weibull.PARAMETERS",
        "retrial.models.weibull.build.__globals__",
        "retrial.models.weibull",
        "retrial.models.nothing.build",
        "retrial.models.__init__.build",
        "retrial.models..build",
        "retrial.models../weibull.build",
        # functions of the package that are no model's
        "retrial.fit.survival.intervals.interval_counts",
        "retrial.app.config.run_config",
    ],
)
def test_only_functions_that_a_model_defines_are_called(target: str | None) -> None:
    raw = asked("fit")
    raw["model"]["build"]["_target_"] = target
    with pytest.raises(ConfigError, match=r"model\.build\._target_: .*allowed are functions that a file of models/ defines"):
        run_config(raw, "fit", STUDY)


def test_a_target_is_refused_wherever_it_stands() -> None:
    raw = asked("fit")
    raw["model"]["build"]["varying"] = [{"_target_": "os.getcwd"}]
    with pytest.raises(ConfigError, match=r"model\.build\.varying\.0\._target_: got 'os.getcwd'"):
        run_config(raw, "fit", STUDY)


@pytest.mark.parametrize("build", ["retrial.models.weibull.build", {"_target_": "retrial.models.weibull.build"}])
def test_a_function_of_a_model_is_stated_as_one(build: Any) -> None:
    raw = asked("fit")
    raw["model"]["build"] = build
    with pytest.raises(ConfigError, match=r"model\.build: got .*allowed is \{_target_: FUNCTION, _partial_: true\}"):
        run_config(raw, "fit", STUDY)


def test_a_model_has_the_parameters_that_its_file_declares() -> None:
    spec = configured("fit", "model=response_hierarchical").models["custom"]
    assert [item.symbol for item in spec.parameters] == ["α", "θ", "τ"]
    assert spec.priors["effect_sd"].scale == spec.parameters[2].scale
    assert "effect_sd" not in configured("fit", "model=response_hierarchical", "model.build.pooled=false").models["custom"].priors
    raw = asked("fit")
    raw["model"]["priors"]["scale"] = {"family": "half_normal", "sigma": 1.0}
    with pytest.raises(
        ConfigError, match=r"model\.priors\.scale: unknown parameter; allowed are control_median, shape, log_hazard"
    ):
        run_config(raw, "fit", STUDY)


def test_the_kinds_of_data_are_named() -> None:
    with pytest.raises(
        ConfigError, match="allowed are adverse_events, categories, cohorts, counts, life_table, multivariable, ratio"
    ):
        configured("fit", "model.data=pictures")


def test_unknown_keys_are_refused() -> None:
    raw = asked("fit") | {"modle": {}}
    with pytest.raises(ConfigError, match="modle: unknown"):
        run_config(raw, "fit", STUDY)


def test_unresolvable_interpolation_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"output_dir: got an interpolation"):
        asked("fit", "output_dir=${nothing.here}")


def test_priors_of_the_wrong_support_are_refused() -> None:
    with pytest.raises(ConfigError, match="allowed is a family on real values"):
        configured("fit", "prior.log_hazard_ratio.family=lognormal")


def test_evidence_on_one_treatment_is_not_used_for_another() -> None:
    other = run_config(asked("reanalyse"), "reanalyse", Path("othertrial.yaml"), {"prior": "flat"})
    assert not {"class_effect", "historical", "robust_historical"} & set(other.priors)
    assert {"flat", "sceptical", "empirical"} <= set(other.priors)


def test_a_prior_of_the_command_line_says_so() -> None:
    run = configured("reanalyse", "prior.log_hazard_ratio.sigma=0.5", prior="custom", prior_changed="log_hazard_ratio")
    assert "command line" in run.priors["custom"]["log_hazard_ratio"].source
    assert "command line" in run.priors["custom"].description
    assert "vague" in run.priors["custom"]["log_odds_ratio"].source


def test_force_is_true_or_false() -> None:
    with pytest.raises(ConfigError, match="force: got 'maybe'"):
        configured("audit", "force=maybe")
