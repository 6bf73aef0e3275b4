"""A document as LaTeX for pdfLaTeX: only packages of a small installation, every text escaped."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator

from retrial.report.manuscript.document import CITATION, Block, Bullets, FigureBlock, Grid, Heading, Paragraph, citations

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "'": "'",
    "`": r"\textasciigrave{}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "\N{LEFT DOUBLE QUOTATION MARK}": "``",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "''",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{INFINITY}": r"\ensuremath{\infty}",
    "\N{LESS-THAN OR EQUAL TO}": r"\ensuremath{\leq}",
    "\N{GREATER-THAN OR EQUAL TO}": r"\ensuremath{\geq}",
    "\N{MULTIPLICATION SIGN}": r"\ensuremath{\times}",
    "\N{MIDDLE DOT}": r"\ensuremath{\cdot}",
    "\N{PLUS-MINUS SIGN}": r"\ensuremath{\pm}",
    "\N{SQUARE ROOT}": r"\ensuremath{\surd}",
    "\N{N-ARY SUMMATION}": r"\ensuremath{\sum}",
    "\N{N-ARY PRODUCT}": r"\ensuremath{\prod}",
    "\N{INTEGRAL}": r"\ensuremath{\int}",
    "\N{ELEMENT OF}": r"\ensuremath{\in}",
    "\N{PROPORTIONAL TO}": r"\ensuremath{\propto}",
    "\N{RIGHTWARDS ARROW}": r"\ensuremath{\rightarrow}",
    "\N{LEFTWARDS ARROW}": r"\ensuremath{\leftarrow}",
    "\N{ALMOST EQUAL TO}": r"\ensuremath{\approx}",
    "\N{NOT EQUAL TO}": r"\ensuremath{\neq}",
    "\N{DAGGER}": r"\dag{}",
    "\N{DEGREE SIGN}": r"\textdegree{}",
    "\N{MULTIPLICATION X}": r"\ensuremath{\times}",
    "\N{BALLOT X}": r"\ensuremath{\times}",
}
_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μµ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ",
    "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
_LETTERS = {letter: rf"\ensuremath{{\{name}}}" for name, letters in _GREEK.items() for letter in letters}
_SCRIPTS = {
    **{sign: rf"\ensuremath{{^{{{plain}}}}}" for sign, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True)},
    **{sign: rf"\ensuremath{{_{{{plain}}}}}" for sign, plain in zip("₀₁₂₃₄₅₆₇₈₉₊₋ᵢⱼ", "0123456789+-ij", strict=True)},
}
_KNOWN = {**_ESCAPED, **_LETTERS, **_SCRIPTS}
_LAST_OF_LATIN_1 = 0xFF
_LONG_WORD, _PIECE = 24, 12
"""Words longer than this may break, after so many letters."""
_HEADING_WIDTH = 16
"""Letters a line of a column's heading."""
_LEVELS = {1: "section", 2: "subsection", 3: "subsubsection"}


def latex_text(text: str) -> str:
    """Text whose every sign stands for itself; a letter that the fonts lack by its code point."""
    words = [word if len(word) <= _LONG_WORD else _breakable(word) for word in re.split(r"[ \t\n\r\f\v]+", text)]
    return " ".join("\\allowbreak{}".join(_signs(piece) for piece in word.split("\0")) for word in words).strip()


def _breakable(word: str) -> str:
    return "\0".join(textwrap.wrap(word.replace("\0", ""), _PIECE, break_on_hyphens=False))


def _signs(text: str) -> str:
    return "".join(_sign(sign) for sign in text)


def _sign(sign: str) -> str:
    if sign in _KNOWN:
        return _KNOWN[sign]
    if not sign.isprintable():
        return ""
    if ord(sign) <= _LAST_OF_LATIN_1:
        return sign
    simple = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode("ascii")
    return "".join(_KNOWN.get(letter, letter) for letter in simple) or f"[U+{ord(sign):04X}]"


def latex(blocks: Iterable[Block]) -> str:
    """The document's body: no preamble, tables as files beside it."""
    return "\n\n".join(part for block in blocks for part in _written(block)) + "\n"


def _written(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield rf"\{_LEVELS[level]}{{{latex_text(text)}}}"
        case Paragraph(text, True):
            lines = [rf"\mbox{{}}{'~' * _indent(line)}{latex_text(line)}" for line in text.splitlines() if line.strip()]
            yield "\\begin{flushleft}\\footnotesize\n" + "\\\\\n".join(lines) + "\n\\end{flushleft}"
        case Paragraph(text, _, is_cited):
            yield _cited(text) if is_cited else latex_text(text)
        case Bullets(items):
            yield "\\begin{itemize}\n" + "\n".join(rf"\item {latex_text(item)}" for item in items) + "\n\\end{itemize}"
        case FigureBlock(key, title, caption, wide):
            yield (
                "\\begin{figure}[htbp]\n\\centering\n"
                rf"\includegraphics[width={'' if wide else '0.5'}\linewidth,height=0.85\textheight,keepaspectratio]{{figures/{key}.pdf}}"
                f"\n\\caption{{{latex_text(title)}. {latex_text(caption)}}}\n\\end{{figure}}"
            )
        case Grid():
            yield rf"\input{{tables/{block.key}.tex}}"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _cited(text: str) -> str:
    parts = CITATION.split(text)
    keys = [",".join(citations(f"[@{part}]")) for part in parts[1::2]]
    plain = [re.sub(r"\s+", " ", _signs(part)) for part in parts[::2]]
    return "".join(f"{text}{rf'\cite{{{key}}}' if key else ''}" for text, key in zip(plain, [*keys, ""], strict=True))


def latex_table(grid: Grid) -> str:
    """A table with booktabs' rules and notes under it: a float, or where it is long a table that breaks over pages."""
    label = re.sub(r"[^A-Za-z0-9-]", "-", grid.key)
    caption = rf"\caption{{{latex_text(grid.title)}}}\label{{tab:{label}}}"
    notes = rf"\par\smallskip\parbox{{\linewidth}}{{\footnotesize {latex_text(grid.notes)}}}"
    if sum(len(cell) for row in grid.rows for cell in row) > _LONG_TABLE:
        return "\n".join([r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}", *_long(grid, caption), notes, r"\endgroup", ""])
    body = [r"\begin{table}[htbp]", r"\centering\footnotesize\setlength{\tabcolsep}{3pt}", caption, *_short(grid), notes]
    return "\n".join([*body, r"\end{table}", ""])


_LONG_TABLE = 2600
"""Letters that a page holds in columns."""
_NUMBERS_WIDTH = 62
"""Letters of numbers in a row, above which an interval goes under its point."""
_NEXT_LINE = r"\\{}"
"""With braces: a bracket after a line break would be read as its argument."""
_SIDE = 20
"""Letters of a cell of numbers on one line, where room is short."""


def _short(grid: Grid) -> Iterator[str]:
    """Numbers as wide as they are; text columns share what they leave of the line."""
    kinds = "".join("r" if place in grid.numeric else r">{\raggedright\arraybackslash}X" for place in range(len(grid.columns)))
    if len(grid.numeric) == len(grid.columns):
        kinds = kinds.replace("r", "X", 1)
    full = [row for row in grid.rows if len(row) == len(grid.columns)]
    wide = sum(max((len(row[place]) for row in full), default=0) for place in grid.numeric) > _NUMBERS_WIDTH
    yield rf"\begin{{tabularx}}{{\linewidth}}{{{kinds}}}"
    yield r"\toprule"
    yield " & ".join(_stacked(text, _HEADING_WIDTH, place in grid.numeric) for place, text in enumerate(grid.columns)) + r" \\"
    yield r"\midrule"
    for row in grid.rows:
        cells = [_stacked(cell, _SIDE, wide and place in grid.numeric, top=True) for place, cell in enumerate(row)]
        yield _row(cells, len(grid.columns))
    yield r"\bottomrule"
    yield r"\end{tabularx}"


def _long(grid: Grid, caption: str) -> Iterator[str]:
    """Columns as wide as their cells ask, within bounds."""
    room = 0.98 - 0.015 * len(grid.columns)
    kinds = "".join(rf">{{\raggedright\arraybackslash}}p{{{room * share:.3f}\linewidth}}" for share in grid.shares)
    head = " & ".join(latex_text(text) for text in grid.columns) + r" \\"
    yield rf"\begin{{longtable}}{{{kinds}}}"
    yield rf"{caption} \\"
    yield from (
        r"\toprule",
        head,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        head,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
    )
    yield from (_row([latex_text(cell) for cell in row], len(grid.columns)) for row in grid.rows)
    yield r"\end{longtable}"


def _stacked(text: str, width: int, numeric: bool, *, top: bool = False) -> str:
    """A heading, or a number with its interval, on as many lines as it needs where it is a column of numbers."""
    point, bracket, interval = text.partition(" (")
    parts = [point, f"({interval}"] if top and bracket else [text]
    lines = [line for part in parts for line in textwrap.wrap(part, width, break_long_words=False)] or [""]
    if len(lines) == 1 or not numeric:
        return latex_text(text)
    shown = _NEXT_LINE.join(latex_text(line) for line in lines)
    return rf"\begin{{tabular}}[{'t' if top else 'b'}]{{@{{}}r@{{}}}}{shown}\end{{tabular}}"


def _row(cells: list[str], width: int) -> str:
    if len(cells) == 1 < width:
        return rf"\multicolumn{{{width}}}{{l}}{{\textbf{{{cells[0]}}}}} \\"
    # a bracket at the start of a row would be read as an argument of the line break before it
    return " & ".join([f"{{}}{cells[0]}", *cells[1:]]) + r" \\"
