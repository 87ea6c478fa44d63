"""Each of Postgres' refusals is an error of ours that says whether waiting helps and what a person should do."""

from __future__ import annotations

import asyncpg
import pytest
from tracker.domain.errors import DatabaseFullError, DatabaseReadOnlyError, DatabaseUnavailableError
from tracker.store.failures import UNAVAILABLE, unavailable


@pytest.mark.parametrize(
    ("sqlstate", "kind", "advice"),
    [
        ("53100", DatabaseFullError, "free space on the database server"),
        ("25006", DatabaseReadOnlyError, "make it writable again"),
        ("53300", DatabaseUnavailableError, "raise its max_connections"),
        ("53200", DatabaseUnavailableError, "went away"),
        ("58030", DatabaseUnavailableError, "went away"),
        ("57P01", DatabaseUnavailableError, "went away"),
        ("57P03", DatabaseUnavailableError, "went away"),
        ("40P01", DatabaseUnavailableError, "went away"),
    ],
)
def test_a_refusal_that_passes_is_retryable_and_says_what_to_do(
    sqlstate: str, kind: type[DatabaseUnavailableError], advice: str
) -> None:
    refused = asyncpg.PostgresError.new({"C": sqlstate, "M": "no", "H": "a hint", "S": "ERROR"})
    assert isinstance(refused, UNAVAILABLE)
    error = unavailable(refused)
    assert type(error) is kind
    assert error.retryable
    assert error.needs_person == (kind is not DatabaseUnavailableError)
    assert advice in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("sqlstate", ["23505", "22003", "42P01"])
def test_a_defect_is_not_taken_for_weather(sqlstate: str) -> None:
    assert not isinstance(asyncpg.PostgresError.new({"C": sqlstate, "M": "no", "S": "ERROR"}), UNAVAILABLE)
