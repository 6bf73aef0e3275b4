"""Text of a study file is words and numbers: no markup, no control characters, no builders of objects, no interpolation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from retrial.study.text.plain import MAX_LIST, MAX_TEXT, text_problems

Problems = Callable[[str | bytes], list[str]]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("<script>alert(1)</script>", "markup"),
        ("OS <b>bold</b>", "markup"),
        ("</title>", "markup"),
        ("<!-- comment -->", "markup"),
        ("<?php ?>", "markup"),
        ("<img src=x onerror=alert(1)>", "markup"),
        ("<svg/onload=alert(1)>", "markup"),
        ("p<a", "markup"),
        ("${oc.env:HOME}", "interpolation"),
        ("a\x00b", "U+0000"),
        ("a\x1b[31mb", "U+001B"),
        ("a\x7fb", "U+007F"),
        ("a\rb", "U+000D"),
        ("abc\u202etxt", "U+202E"),
        ("x" * (MAX_TEXT + 1), f"{MAX_TEXT + 1} characters"),
    ],
)
@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (lambda text: {"title": text}, "title"),
        (lambda text: {"title": "t", "citation": {"note": text}}, "citation.note"),
        (lambda text: {"title": "t", "arms": {"control": {"label": text}}}, "arms.control.label"),
        (
            lambda text: {"title": "t", "effects": {"e": {"hazard_ratio": "0.5", "adjusted_for": ["age", text]}}},
            "effects.e.adjusted_for.1",
        ),
    ],
)
def test_free_text_is_plain_wherever_it_stands(
    problems: Problems, tree: Callable[[str], object], path: str, text: str, word: str
) -> None:
    found = problems(yaml.safe_dump(tree(text), allow_unicode=True))
    assert len(found) == 1
    assert found[0].startswith(f"{path}: got ")
    assert word in found[0]


@pytest.mark.parametrize("place", ["<script>x</script>", "Table \x1b[2J", "${x}", "_target_", "_partial_"])
def test_places_and_other_keys_are_plain_too(problems: Problems, place: str) -> None:
    text = yaml.safe_dump({"title": "t", "total": {"n": {place: "92"}}}, allow_unicode=True)
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith("total.n.")
    assert found[0].isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "<0.001",
        "< 0.001",
        "≤ 20 vs. > 22",
        "> 40",
        "a <- b",
        "x<1",
        "5 < y",
        "μmol/L",
        "naïve",
        "中文",
        "two\nlines",
        "a\tb",
        "$5",
        "{x}",
        "soft\u00adhyphen",
    ],
)
def test_what_is_plain_text(text: str) -> None:
    assert list(text_problems({"title": text, text[:20]: [text]})) == []


def test_a_list_without_end_is_refused_at_once(problems: Problems) -> None:
    found = problems("title: t\nendpoints: {os: {at_risk: {times: [" + "x," * (MAX_LIST + 1) + "]}}}")
    assert found == [f"endpoints.os.at_risk.times: got a list of {MAX_LIST + 1}; allowed are {MAX_LIST} entries"]


@pytest.mark.parametrize("key", ["_target_", "_partial_", "_args_", "_convert_", "_recursive_", "__"])
def test_keys_that_build_objects_are_refused_at_any_depth(key: str) -> None:
    tree = {"a": [{"b": {key: "os.system"}}]}
    assert [str(problem).split(": ")[0] for problem in text_problems(tree)] == [f"a.0.b.{key}"]
    assert list(text_problems({"a": key, "_x": "1", "x_": "1"})) == []
