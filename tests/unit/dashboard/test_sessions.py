"""Sessions cannot be made up, and end when they should."""

from __future__ import annotations

import base64

import orjson
import pytest
from tracker.testing.builders import START
from tracker.testing.clock import FixedClock

from services.dashboard.access.sessions import Sessions, same_token


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


def test_a_session_is_who_signed_in_until_it_expires(clock: FixedClock) -> None:
    sessions = Sessions("secret", "word", 2.0, clock)
    cookie, begun = sessions.begin("owner")
    assert sessions.read(cookie) == begun
    assert begun.who == "owner"
    clock.advance(7199)
    assert sessions.read(cookie) == begun
    clock.advance(2)
    assert sessions.read(cookie) is None


def test_another_process_with_the_same_secret_knows_it_and_others_do_not(clock: FixedClock) -> None:
    cookie, begun = Sessions("secret", "word", 2.0, clock).begin("owner")
    assert Sessions("secret", "word", 2.0, clock).read(cookie) == begun
    for secret, password in (("other", "word"), ("secret", "changed"), (None, "word")):
        assert Sessions(secret, password, 2.0, clock).read(cookie) is None


def test_a_session_that_was_signed_out_is_refused(clock: FixedClock) -> None:
    sessions = Sessions(None, "word", 2.0, clock)
    (cookie, begun), (other, _) = sessions.begin("owner"), sessions.begin("owner")
    sessions.end(begun)
    assert sessions.read(cookie) is None
    assert sessions.read(other) is not None


def test_what_was_not_signed_here_is_no_session(clock: FixedClock) -> None:
    sessions = Sessions("secret", "word", 2.0, clock)
    cookie, _ = sessions.begin("owner")
    payload, signature = cookie.split(".")
    _, who, until = orjson.loads(base64.urlsafe_b64decode(payload))
    forged = base64.urlsafe_b64encode(orjson.dumps(["made up", who, until])).decode()
    for each in ("", ".", "x", f"{payload}.", f".{signature}", f"{forged}.{signature}", f"{payload}.{signature}x"):
        assert sessions.read(each) is None


def test_tokens_are_a_session_s_own(clock: FixedClock) -> None:
    sessions = Sessions("secret", "word", 2.0, clock)
    (cookie, one), (_, other) = sessions.begin("owner"), sessions.begin("owner")
    assert same_token(one, one.token)
    assert not same_token(one, other.token)
    assert not same_token(one, "")
    assert one.token not in cookie
