"""The text of a file that may come from a stranger."""

from __future__ import annotations

from pathlib import Path

from retrial.errors import StudyError

MAX_BYTES = 2_000_000
"""Such a file is typed by a person; a larger one is a mistake."""
_TYPED = "allowed is a text file with the numbers typed in (`retrial new study=NAME kind=full` writes one to fill in)"
_OTHER_FILES = {
    b"%PDF": f"a PDF; {_TYPED}",
    b"PK\x03\x04": f"a document, spreadsheet or archive (Word, Excel, zip); {_TYPED}",
    b"\xd0\xcf\x11\xe0": f"an old Word or Excel document; {_TYPED}",
    b"\xff\xfe": "text in UTF-16; save the file as UTF-8 (an editor's Save as, encoding UTF-8)",
    b"\xfe\xff": "text in UTF-16; save the file as UTF-8 (an editor's Save as, encoding UTF-8)",
}
"""What a file is that starts so, and what to do."""


LEADS_OUT = "got a link that leads out of the folder; allowed is a file in it: put a copy there"


def is_within(path: Path, folder: Path) -> bool:
    """Whether a file is in a folder or below it, links followed."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a path that no file system takes, or links in a circle
        return False


def read_text(path: Path, what: str = "study file", inside: Path | None = None) -> str:
    """Text of a file, of the folder `inside` where one is given; raises `StudyError` where there is none."""
    try:
        if inside is not None and not is_within(path, inside):
            raise StudyError(f"cannot read the {what} {path}", [LEADS_OUT])
        if path.exists() and not path.is_file():
            raise StudyError(f"cannot read the {what} {path}", ["got a folder or a device; allowed is a file"])
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise StudyError(f"cannot use the {what} {path}", [f"got more than {MAX_BYTES} bytes; allowed are {MAX_BYTES}"])
        other = next((words for start, words in _OTHER_FILES.items() if raw.startswith(start)), "")
        if other:
            raise StudyError(f"cannot use the {what} {path}", [f"got {other}"])
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise StudyError(f"cannot read the {what} {path}", [error.strerror or str(error)]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        wrong = f"line {line}: got a byte that is not UTF-8 text; save the file as UTF-8 (an editor's Save as, encoding UTF-8)"
        raise StudyError(f"cannot use the {what} {path}", [wrong]) from error
    except ValueError as error:
        raise StudyError(f"cannot read the {what} {str(path)!r}", [str(error)]) from error
