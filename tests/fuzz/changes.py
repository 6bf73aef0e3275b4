"""Seeded changes of files, of trees and of command lines: what typing errors, other programs and strangers make of them."""

from __future__ import annotations

import copy
import re
from random import Random
from typing import Any

SCALARS = (
    *("", "0", "-1", "5", "99999999999", "0.5", "1e5", "nan", "inf", "-inf", ".nan", ".inf", "1e300", "1e-300", "-1e-13"),
    *("<0.001", ">2", "50%", "5 ± 2", "1,5", "2020-01", "true", "null", "yes", "0x1F", "1_000", "010", "1e400", "9" * 400),
    *("control", "experimental", "total", "os", "any", "CR", "n", "percent", "a.b", "[key]", "x" * 5_000, "±", "٣", "１"),
    *("_target_", "${x}", "${oc.env:HOME}", "<script>", "\x00", "\x1b[2J", "\u202e", "../x", "/etc/passwd", "patients.csv"),
    *("=1+1", "@x", "+x", "\tx", "normal", "student_t", "beta", "gamma", "robust", "power", "merge", "all", "flat"),
    *("[", "{", "!!python/name:os.system", "&a", "*a", "<<"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 10**9, 10**20, -(10**20), 10**400, 0.0, -0.0, 0.5, 1.0, 1e-9, 1e-12, 1e-200, 1e9, 1e12),
    *(1e300, 1.5, -3.25, float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], {"a": None}, [1, 2], [0.5, 2.0]),
    *([[0.5, 1.0], [0.975, 2.0]], {"_target_": "os.system"}, {"family": "normal"}, "x"),
)
TOKENS = (
    *(b"\n", b": ", b"- ", b", ", b"{", b"}", b"[", b"]", b"'", b'"', b"#", b"\t", b"\r", b"|\n", b"? ", b"---\n", b"...\n"),
    *(b"!", b"&a ", b"*a", b"%", b"\xff", b"\x00", b"# @package _global_\n", b"defaults:\n", b"hydra:\n  run: x\n"),
)


def changed_bytes(raw: bytes, rng: Random) -> bytes:
    """Bytes with up to four cuts, insertions or repetitions; now and then in another encoding."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(raw) + 1)
        end = min(len(raw), start + rng.choice((0, 1, 1, 2, 5, 40, 400)))
        junk = rng.choice((rng.randbytes(rng.randint(1, 4)), rng.choice(SCALARS).encode(), rng.choice(TOKENS)))
        raw = raw[:start] + rng.choice((b"", raw[start:end] * 2, junk)) + raw[end:]
    if rng.random() < 0.02:
        raw = raw.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32")), "replace")
    return raw


def entries(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every entry of a tree."""
    found: list[tuple[Any, Any]] = []
    pending = [tree]
    while pending:
        node = pending.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            found.append((node, key))
            pending.append(node[key])
    return found


def value(rng: Random) -> Any:
    """A value of any kind."""
    return copy.deepcopy(rng.choice(VALUES)) if rng.random() < 0.7 else rng.choice(SCALARS)


def _near(old: Any, rng: Random) -> Any:
    """A value of the same kind as another."""
    if isinstance(old, bool) or old is None:
        return rng.choice((True, False, None))
    if isinstance(old, (int, float)) and abs(old) < 1e300:
        return rng.choice((old * 10 ** rng.randint(-9, 9), -old, old + 1, old * rng.uniform(0.1, 10), int(old)))
    if isinstance(old, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", old):
        return f"{float(old) * 10 ** rng.choice((-12, -3, -1, 0, 0, 0, 1, 2, 9)) * rng.choice((1, 1, 0.5, 1.1, 3)):.{rng.randint(0, 12)}f}"
    return rng.choice(SCALARS) if isinstance(old, str) else value(rng)


def changed_tree(tree: Any, rng: Random) -> Any:
    """A copy of a tree with up to three changes."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = entries(tree)
        if not places:
            return value(rng)
        node, key = rng.choice(places)
        other, other_key = rng.choice(places)
        change = rng.choice(("drop", "replace", "replace", "near", "near", "rename", "copy", "wrap", "add", "swap"))
        if change == "drop":
            del node[key]
        elif change == "replace":
            node[key] = value(rng)
        elif change == "near":
            node[key] = _near(node[key], rng)
        elif change == "rename" and isinstance(node, dict):
            node[rng.choice(SCALARS)] = node.pop(key)
        elif change == "copy":
            node[key] = copy.deepcopy(other[other_key])
        elif change == "wrap":
            node[key] = rng.choice(([node[key]], {rng.choice(SCALARS): node[key]}))
        elif change == "add" and isinstance(node, dict):
            node[rng.choice(SCALARS)] = value(rng)
        elif change == "swap":
            node[key], other[other_key] = copy.deepcopy(other[other_key]), copy.deepcopy(node[key])
    return tree
