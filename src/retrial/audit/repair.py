"""Counts that contradict one another: which single misprint explains them, and what the models then use.

Contradictions that share counts are one case, and a case is put down to one misprint:

* if it can sit in a number that no model uses (a percentage, a p, a total) the arms' counts are used as printed, unless there
  are several contradictions and changing exactly one arm's count to exactly one value removes them all: then that is used;
* if it must sit in the arms' counts (a composite or a grade sum fails, or categories add to more than n) and exactly one change
  of one count removes all contradictions, that value is used; otherwise the part of the table is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.audit.constraints import Cell, Constraint, Values, constraints
from retrial.audit.rows import Row, outcome_rows
from retrial.audit.sums import FAMILY
from retrial.dims import TOTAL
from retrial.study.reported import Quantity, Reported
from retrial.study.study import Study


def checks(study: Study) -> Iterator[Check]:
    """One check a case in which models use something else than the printed counts (other families report the contradictions)."""
    rows = {row.path: row for row in outcome_rows(study)}
    values = {(row.path, column): int(cell.n) for row in rows.values() for column, cell in row.cells.items()}
    relations = constraints(study, rows)
    for case in cases([item for item in relations if not item.holds(values)]):
        decision = resolved(study, rows, values, relations, case)
        if decision is not None:
            row = rows[case[0].cells[0][0]]
            wrong = "; ".join(item.text for item in case)
            yield Check(
                family=FAMILY,
                claim=f"what models use where counts contradict one another: {row.label}",
                where=row.where,
                path=decision.path,
                printed=wrong,
                recomputed="" if decision.value is None else str(decision.value),
                verdict=Verdict.INCONSISTENT,
                note=decision.reason,
                consequence=decision.consequence,
                numbers=0,
                decision=decision,
            )


def cases(failing: list[Constraint]) -> list[list[Constraint]]:
    """Failing constraints in groups that share no count; in a group, those that only the arms' counts can explain come first."""
    groups: list[list[Constraint]] = []
    for item in failing:
        touching = [group for group in groups if any(set(item.cells) & set(other.cells) for other in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([*(other for group in touching for other in group), item])
    return [sorted(group, key=lambda item: item.elsewhere) for group in groups]


def single_changes(
    study: Study, rows: Mapping[str, Row], values: Values, relations: list[Constraint], case: list[Constraint]
) -> list[tuple[Cell, int]]:
    """Every change of one count that removes the whole case and breaks no other relation.

    Where another place of the paper prints one of these values for its count, only such changes are taken.
    """
    found: list[tuple[Cell, int]] = []
    elsewhere: list[tuple[Cell, int]] = []
    for cell in sorted(set.intersection(*(set(item.cells) for item in case))):
        candidates = next((set(fits) for item in case if (fits := tuple(item.solutions(values, cell)))), set())
        printed = {int(print_.value) for print_ in rows[cell[0]].cells[cell[1]].n.prints}
        touched = [item for item in relations if cell in item.cells]
        for value in sorted(candidates - {values[cell]}):
            if 0 <= value <= (study.n(cell[1]) or 0) and all(item.holds({**values, cell: value}) for item in touched):
                (elsewhere if value in printed else found).append((cell, value))
    return elsewhere or found


def resolved(
    study: Study, rows: Mapping[str, Row], values: Values, relations: list[Constraint], case: list[Constraint]
) -> Decision | None:
    """What models use instead of the printed counts; None where those stand."""
    changes = single_changes(study, rows, values, relations, case)
    arms = [change for change in changes if change[0][1] != TOTAL]
    tenable = all(item.elsewhere for item in case)
    wrong = "; ".join(item.text for item in case)
    if len(arms) == 1 and (not tenable or (len(case) > 1 and len(changes) == 1)):
        cell, value = arms[0]
        label = f"{rows[cell[0]].label}, {cell[1]}"
        reason = (
            f"{label}: {values[cell]} contradicts {len(case)} printed relations, {value} none; no other single count does that"
        )
        path = f"{cell[0]}.{cell[1]}.n"
        return Decision(path, Consequence.CORRECTED, Quantity((Reported(str(value), "audit"),)), reason)
    if tenable:
        return None
    reason = f"{wrong}: " + (
        f"{len(arms)} different single changes would remove this" if arms else "no single change removes this"
    )
    return Decision(case[0].part, Consequence.EXCLUDED, None, reason)
