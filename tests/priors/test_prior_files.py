"""The prior and evidence files of the project, composed as the command line does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir, initialize_config_module

from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.app.information import listed_priors, prior_lines
from retrial.errors import ConfigError
from retrial.priors.prior_set import implied
from retrial.run_config import RunConfig

FILES, MODELS = (
    sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / kind).glob("*.yaml")) for kind in ("prior", "model")
)


def configured(*overrides: str, prior: str = "custom") -> RunConfig:
    with initialize_config_module("retrial.conf", version_base="1.3"):
        return run_config(
            plain(compose("fit", list(overrides))), "fit", Path("yao2025.yaml"), {"prior": prior, "model": "weibull"}
        )


@pytest.mark.parametrize("name", FILES)
def test_every_prior_file_says_what_it_implies(name: str) -> None:
    made = configured(f"prior={name}", prior=name).priors[name]
    assert made.description
    rows = implied(made)
    assert rows
    for row in rows:
        assert row["source"]
        assert 0 <= row["implied_lower"] < row["implied_median"] < row["implied_upper"]
    assert len(prior_lines([made])) == 1 + 2 * len(rows)


def test_what_is_stated_wrongly_is_not_missing() -> None:
    arms = "{family:beta,alpha:-1,beta:1}"
    with pytest.raises(ConfigError) as error:
        configured(
            "prior=historical",
            f"+prior.control_probability={arms}",
            "+prior.experimental_probability={family:beta,alpha:1,beta:1}",
        )
    assert "missing" not in str(error.value)


@pytest.mark.parametrize("name", ["log_odds_ratio", "control_logit"])
def test_independent_arms_admit_no_prior_that_would_play_no_part(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"prior.{name}: got beside control_probability and experimental_probability"):
        configured("prior=jeffreys", f"+prior.{name}={{family:normal,mu:0,sigma:1}}")


@pytest.mark.parametrize("name", MODELS)
def test_prior_sets_of_every_model_are_chosen_without_adding_a_key(name: str) -> None:
    with initialize_config_module("retrial.conf", version_base="1.3"):
        raw = plain(compose("fit", [f"model={name}", "model.prior_sets=[flat]"]))
    assert raw["model"]["prior_sets"] == ["flat"]


def test_evidence_is_used_for_the_studies_that_it_is_about() -> None:
    """Prior sets and borrowing are gated alike, by the `studies` of their table; naming a study borrows all the same."""

    def found(study: str, *overrides: str) -> RunConfig:
        with initialize_config_module("retrial.conf", version_base="1.3"):
            raw = plain(compose("reanalyse", list(overrides)))
        return run_config(raw, "reanalyse", Path(f"{study}.yaml"), {"prior": "flat"})

    gated = {"historical", "robust_historical", "class_effect"}
    assert gated <= set(found("yao2025").priors)
    assert "response_borrowing" in found("yao2025").models
    other = found("other")
    assert not gated & set(other.priors)
    assert "response_borrowing" not in other.models
    assert "response_borrowing" in found("other", "models.response_borrowing.evidence.studies=[other]").models
    with pytest.raises(ConfigError, match=r"model.evidence.studies: the evidence is about someone, not yao2025; .*=\[yao2025\]"):
        configured("model=response_borrowing", "model.evidence.studies=[someone]")
    with pytest.raises(ConfigError, match=r"model.evidence.studies: got 'someone'; allowed is a list"):
        configured("model=response_borrowing", "model.evidence.studies=someone")


def test_effects_that_are_not_pooled_have_no_pooling_scale() -> None:
    made = configured("model=response_hierarchical", "model.build.pooled=false").models["weibull"]
    assert set(made.priors) == {"baseline_logit"}


def test_historical_priors_are_computed_from_the_table_and_its_knobs() -> None:
    key = "prior.log_hazard_ratio.by_endpoint.os.evidence.exponent"
    default = configured("prior=historical").priors["custom"].for_endpoint("os")["log_hazard_ratio"]
    whole = configured("prior=historical", f"{key}=1").priors["custom"].for_endpoint("os")["log_hazard_ratio"]
    assert default.number("sigma") == pytest.approx(whole.number("sigma") / 0.2**0.5, rel=1e-9)
    row = "prior.evidence.rows.he_linye_2021.effects.os.ratio"
    changed = configured("prior=historical", f"{row}=0.2").priors["custom"].for_endpoint("os")["log_hazard_ratio"]
    assert changed.number("mu") < default.number("mu")


def test_a_prior_of_ones_own_in_two_numbers() -> None:
    run = configured("prior=stated", "prior.log_hazard_ratio.quantiles=[[0.5,0.8],[0.975,1.5]]")
    low, high = run.priors["custom"]["log_hazard_ratio"].distribution.cdf([-0.22314355, 0.40546511])
    assert (low, high) == pytest.approx((0.5, 0.975), abs=1e-6)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("prior.log_hazard_ratio.sigma=-1", "allowed is above 0"),
        ("+prior.log_hazard_ratio.quantiles=[[0.5,1],[0.975,2]]", "got beside quantiles"),
        ("prior.log_hazard_ratio.family=beta", "unknown; beta takes alpha, beta"),
        ("+prior.log_hazard_ration={family:normal,mu:0,sigma:1}", "unknown parameter"),
        ("+prior.log_hazard_ratio={family:normal_mixture,weights:[0.5,0.4],mu:[0,0],sigma:[1,1]}", "add to 1"),
        ("+prior.log_hazard_ratio={family:normal_mixture,weights:[0.5,0.5],mu:[0,0],sigma:[1,-1]}", "allowed is above 0"),
        ("+prior.log_hazard_ratio={family:normal_mixture,weights:[0.5,0.5],mu:[0],sigma:[1,1]}", "different lengths"),
        (
            "+prior.log_hazard_ratio={family:normal_mixture,weights:[.2,.2,.2,.2,.2],mu:[0,0,0,0,0],sigma:[1,1,1,1,1]}",
            "got 5 components; allowed are up to 4",
        ),
        ("+prior.control_median={family:normal,mu:12,sigma:3}", "allowed is a family on positive values"),
        ("+prior.shape={family:beta,alpha:2,beta:3}", "allowed is a family on positive values"),
        ("prior.log_hazard_ratio.mu=nan", "allowed is a finite number"),
        ("model.priors.shape.sigma=-1", "- model.priors.shape.sigma: got -1"),
        ("prior.log_hazard_ratio.family=nromal", "- prior.log_hazard_ratio.family: got 'nromal'; allowed are normal"),
        ("+prior.control_logit={family:beta,alpha:1,beta:1}", "on real values: normal, student_t, normal_mixture"),
        ("+prior.control_probability={family:beta,alpha:1,beta:1}", "prior.experimental_probability: missing"),
    ],
)
def test_wrong_priors_are_refused_with_what_is_admitted(override: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        configured("prior=flat", override)
    assert said in str(error.value)
    assert "prior" in str(error.value)


@pytest.mark.parametrize(
    ("prior", "override", "said"),
    [
        ("stated", "prior.log_hazard_ratio.quantiles=[[0.5,2],[0.975,1]]", "a larger probability needs a larger value"),
        ("stated", "prior.log_hazard_ratio.quantiles=[[0.5,1],[97.5,2]]", "a probability is above 0 and below 1"),
        ("stated", "prior.log_hazard_ratio.quantiles=[[0.5,-1],[0.975,2]]", "allowed is a ratio above 0"),
        (
            "robust_historical",
            "prior.log_hazard_ratio.by_endpoint.os.evidence.weight=1.5",
            "- prior.log_hazard_ratio.by_endpoint.os.evidence.weight: got 1.5",
        ),
        ("historical", "prior.log_hazard_ratio.by_endpoint.os.evidence.exponent=0", "exponent"),
    ],
)
def test_impossible_quantiles_and_knobs_are_refused(prior: str, override: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        configured(f"prior={prior}", override)
    assert said in str(error.value)


def test_a_knob_of_evidence_can_be_changed_from_the_command_line() -> None:
    with initialize_config_module("retrial.conf", version_base="1.3"):
        raw = plain(compose("fit", ["prior=historical", "prior.log_hazard_ratio.by_endpoint.os.evidence.exponent=0.5"]))
    # what the command line hands over: the parameter is named as changed
    names = {"prior": "custom", "prior_changed": "log_hazard_ratio"}
    made = run_config(raw, "fit", Path("study.yaml"), names).priors["custom"].for_endpoint("os")["log_hazard_ratio"]
    assert "exponent 0.5" in made.source


def test_a_family_that_the_quadrature_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"criteria_log_odds.family: got student_t; allowed is normal"):
        configured("model=response_borrowing", "+prior.criteria_log_odds={family:student_t,mu:0,sigma:1,nu:3}")


def test_a_table_and_a_prior_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    """--config-dir: DIR/evidence/mine.yaml and DIR/prior/mine.yaml, found beside the project's."""
    files: dict[str, Any] = {
        "evidence/mine.yaml": "description: d\nrows:\n  a: {source: s, verified: source, effects: {os: {ratio: 0.5, ci: [0.25, 1.0]}}}\n",
        "prior/mine.yaml": "defaults:\n  - /evidence@evidence: mine\n  - _self_\ndescription: mine\n"
        "log_hazard_ratio: {evidence: {outcome: os, method: pooled}}\n",
        "job.yaml": "defaults:\n  - prior: mine\n  - _self_\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        raw = plain(compose("job"))
    made = run_config(
        raw | {"study": {"name": "s"}, "seed": 1, "output_dir": "o", "force": False},
        "sensitivity",
        Path("s.yaml"),
        {"prior": "mine"},
    )
    assert made.priors["mine"]["log_hazard_ratio"].number("mu") == pytest.approx(-0.69314718, abs=1e-8)


def test_the_listing_shows_own_sets_too_and_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "prior").mkdir()
    (tmp_path / "prior/good.yaml").write_text(
        "description: mine\nlog_hazard_ratio: {family: normal, mu: 0, sigma: 0.5}\n", encoding="utf-8"
    )
    (tmp_path / "prior/bad.yaml").write_text("log_hazard_ratio: {family: normal, mu: 0, sigma: -1}\n", encoding="utf-8")
    one_arm = "description: d\ncontrol_probability: {family: beta, alpha: 1, beta: 1}\nlog_odd_ratio: {family: normal, mu: 0, sigma: 1}\n"
    (tmp_path / "prior/half.yaml").write_text(one_arm, encoding="utf-8")
    lines = listed_priors(["sceptical", "good", "bad", "half"], tmp_path)
    text = "\n".join(lines)
    assert "hazard ratio 1 (0.499 to 2.01), worth 31.7 events" in text
    assert "good: mine" in text
    assert "allowed is above 0" in text
    # what a fit refuses, the listing does not show as fine
    assert "experimental_probability: missing" in text
    assert "log_odd_ratio: unknown parameter" in text
