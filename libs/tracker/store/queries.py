"""All SQL, named and described, read from the .sql files beside this module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tracker.domain.errors import SchemaError

SQL_DIR = Path(__file__).parent / "sql"
_HEADER = re.compile(r"^-- name: (?P<name>\w+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One statement: `name` is 'file.query', `description` says in a sentence what it is for."""

    name: str
    description: str
    text: str


@cache
def queries() -> Mapping[str, Query]:
    """Return every query of the library by its name."""
    found: dict[str, Query] = {}
    for path in sorted(SQL_DIR.glob("*.sql")):
        for query in _parse(path.stem, path.read_text(encoding="utf-8")):
            if query.name in found:
                raise SchemaError(f"{path}: the query {query.name} is defined twice")
            found[query.name] = query
    return found


def sql(name: str) -> str:
    """Return the text of the query called `name` ('file.query')."""
    return queries()[name].text


def _parse(stem: str, text: str) -> list[Query]:
    result: list[Query] = []
    for block in re.split(r"(?m)^(?=-- name: )", text):
        lines = block.strip().splitlines()
        header = _HEADER.match(lines[0]) if lines else None
        if header is None:
            continue
        body = lines[1:]
        comment = [line[3:] for line in body if line.startswith("-- ")]
        statement = "\n".join(line for line in body if not line.startswith("--")).strip().rstrip(";")
        result.append(Query(name=f"{stem}.{header['name']}", description=" ".join(comment), text=statement))
    return result
