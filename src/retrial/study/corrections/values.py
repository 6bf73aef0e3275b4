"""Values that papers and spreadsheets write otherwise, as the study file takes them: candidates, which the caller tries."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NUM = r"[<>≤≥]?\s*[-−–]?(?:\d+(?:\.\d+)?|\.\d+)"
_SPACES = "\u00a0\u2007\u2009\u200a\u202f"
"""No-break, figure, thin, hair and narrow spaces."""
_DASHES = "\u2010\u2011\u2012\u2013\u2014"
_MARKS = re.compile(r"[*†‡§¶#^]+|\((?:[a-z])\)$|[ᵃ-ᶻ¹²³]+")
"""Footnote marks."""
_LEAD = re.compile(
    r"^(?:95\s*%\s*(?:CI|CrI)?|CI|HR|OR|RR|aHR|p(?:[- ]?value)?|n|median|about|approximately|approx\.?|ca\.?)?\s*[:=~≈]?\s*",
    re.IGNORECASE,
)
_UNITS = re.compile(r"\s*(?:months?|mos?\.?|weeks?|wks?\.?|days?|years?|yrs?\.?|patients|pts\.?|events)$", re.IGNORECASE)
_SEP = rf"\s*(?:to|,|;|[-{_DASHES}]|\.\.)\s*"
_INTERVAL = re.compile(rf"[\[({{]?\s*(?P<low>{_NUM}){_SEP}(?P<high>{_NUM})\s*[\])}}]?")
_OPEN_END = re.compile(
    rf"[\[({{]?\s*(?P<low>{_NUM}){_SEP}(?P<high>NR|NE|NA|not reached|not estimable|∞|inf(?:inity)?)\s*[\])}}]?", re.IGNORECASE
)
_WITH_INTERVAL = re.compile(rf"(?P<value>{_NUM})\s*(?P<unit>[A-Za-z]*)\s*[,;:]?\s*[\[(](?P<rest>[^\[\]()]*)[\])]")
_P_BEHIND = re.compile(rf"[,;]?\s*p(?:[- ]?value)?\s*=?\s*(?P<p>{_NUM})\s*$", re.IGNORECASE)
_WORDS_BEHIND = re.compile(
    r"\s*\(?(?:for superiority|for (?:the )?comparison|(?:by|from) (?:the )?(?:stratified )?log-?rank test|(?:stratified )?log-?rank|two-?sided)\)?$",
    re.IGNORECASE,
)
"""Words after a p-value that do not change what it is the p of."""
_OF = re.compile(r"(?P<n>\d+)\s*(?:/|of|out of)\s*(?P<of>\d+)(?:\s*[,;]?\s*[\[(]?\s*(?P<percent>\d+(?:\.\d+)?)\s*%?\s*[\])]?)?")
_N_PERCENT = re.compile(r"(?P<n>\d+)\s*[,;]?\s*[\[(]\s*(?P<percent>\d+(?:\.\d+)?)\s*%?\s*[\])]")
_N_COMMA_PERCENT = re.compile(r"(?P<n>\d+)\s*[,;]?\s+(?P<percent>\d+(?:\.\d+)?)\s*%")
_PERCENT_N = re.compile(
    r"(?P<percent>\d+(?:\.\d+)?)\s*%\s*[,;]?\s*[\[(]\s*(?:n\s*=\s*)?(?P<n>\d+)(?:\s*(?:/|of|out of)\s*(?P<of>\d+))?\s*[\])]"
)
_MEAN_SD = re.compile(rf"(?P<mean>{_NUM})\s*(?:[\[(]\s*(?:SD\s*)?|,?\s*SD\s*|\s*±\s*)(?P<sd>{_NUM})\s*[\])]?", re.IGNORECASE)
_POWER = re.compile(
    r"(?P<relation>[<>]?)\s*(?P<digits>\d)(?:\.(?P<more>\d+))?\s*(?:[eE]|\s*[x×]\s*10\^?)\s*[-−–](?P<power>\d{1,2})"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE_WORDS = re.compile(r"(?:(?P<day>\d{1,2})\.?\s+)?(?P<month>[A-Za-z]{3,9})\.?,?\s+(?:(?P<late>\d{1,2}),?\s+)?(?P<year>\d{4})")
_DATE = re.compile(r"(?P<year>\d{4})[/.-](?P<month>\d{1,2})(?:[/.-](?P<day>\d{1,2}))?")
_DATE_LAST = re.compile(r"(?P<day>\d{1,2})[/.](?P<month>\d{1,2})[/.](?P<year>\d{4})")
_WORDS = {
    **dict.fromkeys(("yes", "y", "1", "on"), "true"),
    **dict.fromkeys(("no", "n", "0", "off"), "false"),
    **dict.fromkeys(("month", "mo", "mos", "m"), "months"),
    **dict.fromkeys(("year", "yr", "yrs", "y"), "years"),
    **dict.fromkeys(("week", "wk", "wks"), "weeks"),
    **dict.fromkeys(("day", "d"), "days"),
    **dict.fromkeys(("logrank", "log-rank", "log rank"), "log_rank"),
}


def tidy(text: str, unit: str = "") -> str:
    """A number's text without footnote marks and words around it, with plain spaces and points; without `unit`, the study's own."""
    text = text.strip().strip("'\"").strip()
    text = re.sub(f"[{_SPACES}]", " ", text).replace("·", ".").replace("∙", ".").replace("−", "-")
    text = _MARKS.sub("", text).strip()
    text = _WORDS_BEHIND.sub("", _LEAD.sub("", text, count=1))
    found = _UNITS.search(text)
    if found is not None and (not unit or found[0].strip()[0].lower() in (unit[:1], "p", "e")):
        return text[: found.start()].strip()
    return text


def numbers(text: str) -> list[str]:
    """Ways to read the commas and spaces of a text as decimal or thousands marks, the likelier first."""
    found = [text]
    decimal = re.sub(r"(?<=\d),(?=\d)", ".", text)
    thousands = re.sub(r"(?<=\d)[, '](?=\d{3}(?:\D|$))", "", text)
    if re.search(r"(?<![\d.,])0,\d|\d,\d{1,2}(?!\d)|\d,\d{4,}", text):
        found += [decimal, thousands]
    else:
        found += [thousands, decimal]
    return list(dict.fromkeys(found))


def values(text: str, source: str, unit: str, is_interval: bool = False, is_list: bool = False) -> Iterator[str]:
    """Candidates for one value; `text` as read, `source` as written in the file (quotes, brackets and commas included)."""
    if is_interval:
        yield from _swapped(source)
    else:
        yield from _quoted_away(text)
    for piece in dict.fromkeys((text, source)):
        for plain in numbers(tidy(piece, unit)):
            if is_interval:
                yield from _intervals(plain)
            elif is_list:
                yield plain
                yield from _lists(plain)
            else:
                yield plain
                yield from (*_counts(plain), *_means(plain), *_level(plain))
    if not (is_interval or is_list):
        yield from (*_power(tidy(text)), *_dates(text))
        if text.strip().lower() in _WORDS:
            yield _WORDS[text.strip().lower()]
        if "\\" in text:
            yield text.replace("\\", "/")


def with_more(text: str, unit: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """A value that carries its interval, apart: `0.67 (0.47–0.94; p = 0.02)` is 0.67, ci: [0.47, 0.94] and p: 0.02."""
    for plain in numbers(tidy(text, unit)):
        match = _WITH_INTERVAL.fullmatch(plain)
        if match is None or (match["unit"] and match["unit"].lower()[:1] != unit[:1]):
            continue
        rest, more = match["rest"].strip(), {}
        behind = _P_BEHIND.search(rest)
        if behind is not None:
            rest, more = rest[: behind.start()].strip(), {"p": behind["p"].strip()}
        level = re.match(r"(\d+(?:\.\d+)?)\s*%\s*C", rest, re.IGNORECASE)
        if level is not None and level[1] != "95":
            rest, more = re.sub(r"^[^%]*%\s*C[A-Za-z]*", "", rest), {"level": f"{level[1]}%", **more}
        for interval in _intervals(_LEAD.sub("", rest, count=1).lstrip(",;: ")):
            yield match["value"], {"ci": interval, **more}


def sections(text: str, unit: str = "") -> Iterator[str]:
    """A bare value where a section is wanted."""
    for value, more in with_more(text, unit):
        yield f"{{{', '.join(f'{key}: {item}' for key, item in {'value': value, **more}.items())}}}"
    for plain in numbers(tidy(text, unit)):
        if re.fullmatch(_NUM, plain):
            yield f"{{value: {plain}}}"
            yield f"{{n: {plain}}}"
            yield f"{{p: {plain}}}"


def described(text: str) -> Iterator[str]:
    """A bare text where a section with a text or a label is wanted."""
    bare = text.strip()
    if bare and re.fullmatch(r"[^{}\[\]:#'\"]+", bare):
        shown = f'"{bare}"' if "," in bare else bare
        yield from (f"{{text: {shown}}}", f"{{label: {shown}}}")


def names(text: str) -> Iterator[str]:
    """A text as a name of the file: letters, digits, _ and -."""
    plain = re.sub(f"[{_DASHES}]", "-", text.strip())
    yield plain
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_-")
    if name:
        yield name
        yield f"group_{name}"


def _quoted_away(text: str) -> Iterator[str]:
    bare = text.strip().strip("'\"“”‘’").strip()
    if bare != text:
        yield bare


def _swapped(text: str) -> Iterator[str]:
    match = re.fullmatch(r"\[\s*([^\[\],]+?)\s*,\s*([^\[\],]+?)\s*\]", text)
    if match is not None:
        yield f"[{match[2]}, {match[1]}]"


def _intervals(text: str) -> Iterator[str]:
    pieces = re.findall(r"\d+,\d+", text)
    if len(pieces) == 2:
        yield f"[{', '.join(piece.replace(',', '.') for piece in pieces)}]"
    match = _INTERVAL.fullmatch(text)
    if match is not None:
        low, high = match["low"].strip(), match["high"].strip()
        yield f"[{low}, {high}]"
        yield f"[{high}, {low}]"
    match = re.fullmatch(rf"[\[(]\s*({_NUM})\s+({_NUM})\s*[\])]", text)
    if match is not None:
        yield f"[{match[1]}, {match[2]}]"
    match = _OPEN_END.fullmatch(text)
    if match is not None:
        yield f"[{match['low'].strip()}, {'NE' if match['high'].upper() == 'NE' else 'NR'}]"


def _counts(text: str) -> Iterator[str]:
    for pattern in (_OF, _PERCENT_N, _N_PERCENT, _N_COMMA_PERCENT):
        match = pattern.fullmatch(text)
        if match is None:
            continue
        part = match.groupdict()
        percent = f", percent: {part['percent']}" if part["percent"] else ""
        if part.get("of"):
            yield f"{{n: {part['n']}, evaluable: {part['of']}{percent}}}"
        yield f"{{n: {part['n']}{percent}}}" if percent else part["n"]
    match = re.fullmatch(r"(\d+)\.0+", text)
    if match is not None:
        yield match[1]


def _means(text: str) -> Iterator[str]:
    match = _MEAN_SD.fullmatch(text)
    if match is not None:
        yield f"{match['mean']} ± {match['sd']}"


def _lists(text: str) -> Iterator[str]:
    bare = text.strip("[](){} ")
    for parts in (re.split(r"\s*[,;]\s*", bare), bare.split()):
        if len(parts) > 1 and all(parts) and not any(set(part) & set("[]{}:#&*'\"") for part in parts):
            yield f"[{', '.join(parts)}]"
    if bare and not set(bare) & set("[]{}:#&*'\","):
        yield f"[{bare}]"


def _level(text: str) -> Iterator[str]:
    if re.fullmatch(r"\d{2}(?:\.\d+)?", text):
        yield f"{text}%"


def _power(text: str) -> Iterator[str]:
    match = _POWER.fullmatch(text)
    if match is not None and 0 < int(match["power"]) <= 12:
        digits = match["digits"] + (match["more"] or "")
        yield f"{match['relation']}0.{'0' * (int(match['power']) - 1)}{digits}"


def _dates(text: str) -> Iterator[str]:
    text = text.strip()
    for pattern in (_DATE_WORDS, _DATE, _DATE_LAST):
        match = pattern.fullmatch(text)
        if match is None:
            continue
        part = match.groupdict()
        month = part["month"]
        number = int(month) if month.isdigit() else _MONTHS.index(month[:3].lower()) + 1 if month[:3].lower() in _MONTHS else 0
        day = part.get("day") or part.get("late")
        if 1 <= number <= 12:
            yield f"{part['year']}-{number:02d}" + (f"-{int(day):02d}" if day else "")
