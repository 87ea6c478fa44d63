"""However a delivery goes wrong, the message is shown, and shown once."""

from __future__ import annotations

import io
import itertools
import logging
from typing import Any

import pytest
from pydantic import SecretStr
from reporter_house import ReporterHouse, rules
from tracker.domain.errors import ConfigError
from tracker.runtime.logging import configure_logging
from tracker.runtime.settings import load_settings
from tracker.testing.slack import CHANNEL, TOKEN

from services.slack_reporter.settings import ReporterSettings
from services.slack_reporter.slack import Bot, Webhook
from services.slack_reporter.way import NoAnswerError, NotTakenError, Refusal, RefusedError

QUICK = {"timeout_seconds": 1, "retry_first_seconds": 1, "retry_longest_seconds": 4}
BROKEN = [
    ("rate_limit", {"times": 3}), ("status", {"times": 2}), ("status", {"status": 503}), ("drop", {"times": 3}),
    ("lose", {}), ("lose", {"times": 2}), ("hang", {}), ("deaf", {}), ("rate_limit", {"retry_after": 30}),
    ("error", {"code": "internal_error"}), ("error", {"code": "service_unavailable", "times": 4}),
]  # fmt: skip


@pytest.fixture
def quick(house: ReporterHouse) -> ReporterHouse:
    house.rules = rules(delivery=QUICK)
    return house


async def settle(house: ReporterHouse) -> None:
    """Let everything be told that lasts, and delivered that can be."""
    await house.run(25)
    for _ in range(40):
        await house.run(15)
        if all(state not in ("pending", "sending") for _, state, _, _ in await house.outbox()):
            return


@pytest.mark.parametrize(("kind", "more"), BROKEN)
async def test_a_message_is_shown_once(quick: ReporterHouse, kind: str, more: dict[str, Any]) -> None:
    await quick.restart()
    quick.slack.fail(kind, "chat.postMessage", **more)
    await quick.finding("a fact", ok=False)
    await settle(quick)
    assert [each.text for each in quick.slack.messages] == ["[SIMULATED] critical: a fact: 12"]
    assert [row[:2] for row in await quick.outbox()] == [("post", "delivered")]


@pytest.mark.parametrize(("kind", "more"), [("lose", {}), ("hang", {}), ("drop", {"times": 2}), ("status", {})])
async def test_replies_and_edits_are_shown_once(quick: ReporterHouse, kind: str, more: dict[str, Any]) -> None:
    await quick.restart()
    for _ in range(2):
        await quick.finding("a fact", ok=False)
        await settle(quick)
        for method in ("chat.update", "chat.postMessage", "conversations.replies"):
            quick.slack.fail(kind, method, **more)
        await quick.finding("a fact", ok=True)
        await quick.run(80)
        await settle(quick)
    (root,) = quick.slack.roots
    assert len(quick.slack.thread(root)) == 1
    assert root.text.startswith("[SIMULATED] a fact recovered after ")


@pytest.mark.parametrize(("method", "kind"), [
    ("files.getUploadURLExternal", "drop"), ("files.getUploadURLExternal", "lose"), ("/upload", "drop"),
    ("/upload", "lose"), ("/upload", "status"),
    ("files.completeUploadExternal", "lose"), ("files.completeUploadExternal", "hang"),
    ("files.completeUploadExternal", "rate_limit"),
])  # fmt: skip
async def test_a_picture_is_shown_once(quick: ReporterHouse, method: str, kind: str) -> None:
    await quick.restart()
    await quick.account()
    for minute in range(3):
        await quick.equity(quick.clock.now().replace(minute=minute), 10_000 + minute)
    quick.slack.fail(kind, method)
    quick.clock.moment = quick.clock.moment.replace(hour=17)
    await quick.monitor_looks()
    await settle(quick)
    report, picture = quick.slack.messages
    assert report.text.startswith("[SIMULATED] Evening report")
    (file,) = picture.files
    assert file["title"] == "[SIMULATED] Equity, evening of Fri 01 Mar 17:00"
    assert quick.slack.files[file["id"]].startswith(b"\x89PNG")


@pytest.mark.parametrize("code", ["invalid_auth", "channel_not_found", "not_in_channel", "missing_scope"])
async def test_what_the_settings_stand_against_is_held_until_they_are_right(quick: ReporterHouse, code: str) -> None:
    await quick.restart()
    quick.slack.fail("error", "chat.", code=code, times=99)
    await quick.finding("a fact", ok=False)
    await quick.run(60)
    await quick.finding("a fact", ok=True)
    await quick.run(120)
    assert [row[1] for row in await quick.outbox()] == ["given_up", "given_up"]
    detail = quick.service.detail()
    assert detail["held"] == 2
    assert code in detail["trouble"]
    quick.slack.faults.clear()
    # Whoever changed the settings starts it anew.
    await quick.restart()
    await settle(quick)
    (root,) = quick.slack.messages
    assert root.said[-1].startswith("[SIMULATED] a fact recovered")
    assert "trouble" not in quick.service.detail()


async def test_what_was_held_goes_out_once_anything_does(quick: ReporterHouse) -> None:
    await quick.restart()
    quick.slack.fail("error", "chat.", code="not_in_channel", times=1)
    await quick.finding("a fact", ok=False)
    await quick.run(60)
    await quick.finding("another", ok=False)
    await settle(quick)
    assert {each.text for each in quick.slack.messages} == {
        "[SIMULATED] critical: a fact: 12", "[SIMULATED] critical: another: 12"}  # fmt: skip


async def test_blocks_that_are_refused_go_as_text(quick: ReporterHouse) -> None:
    await quick.restart()
    quick.slack.fail("error", "chat.postMessage", code="invalid_blocks")
    await quick.finding("a fact", ok=False)
    await settle(quick)
    (root,) = quick.slack.messages
    assert (root.text, root.blocks) == ("[SIMULATED] critical: a fact: 12", [])


async def test_a_message_that_is_gone_is_told_of_on_its_own(quick: ReporterHouse) -> None:
    await quick.restart()
    await quick.finding("a fact", ok=False)
    await settle(quick)
    quick.slack.messages.clear()
    await quick.finding("a fact", ok=True)
    await quick.run(80)
    await settle(quick)
    assert [each.text for each in quick.slack.messages] == ["[SIMULATED] a fact recovered after 40 s"]


async def test_slack_is_left_alone_where_it_fails_again_and_again(quick: ReporterHouse) -> None:
    await quick.restart()
    quick.slack.fail("status", times=1_000)
    await quick.finding("a fact", ok=False)
    await quick.run(50)
    before = len(quick.slack.requests)
    await quick.run(600, step=1)
    assert len(quick.slack.requests) - before < 30
    assert "Slack failed (HTTP 500)" in quick.service.detail()["trouble"]
    quick.slack.faults.clear()
    await settle(quick)
    assert len(quick.slack.messages) == 1


async def test_a_message_a_second(quick: ReporterHouse) -> None:
    quick.slack.per_second = 1
    quick.rules = rules(delivery=QUICK, alerts={"storm_alerts": 99})
    await quick.restart()
    for number in range(8):
        await quick.finding(f"fact {number}", ok=False)
    await quick.run(45, step=0.5)
    at = [each.at for each in quick.slack.messages]
    assert len(at) == 8
    assert all((later - earlier).total_seconds() >= 1 for earlier, later in itertools.pairwise(at))


async def test_a_scope_that_is_missing_for_looking_does_not_stop_a_message(quick: ReporterHouse) -> None:
    await quick.restart()
    quick.slack.fail("deaf", "chat.postMessage")
    quick.slack.fail("error", "conversations.history", code="missing_scope", times=99)
    await quick.finding("a fact", ok=False)
    await settle(quick)
    assert len(quick.slack.messages) == 1


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
@pytest.mark.parametrize("kind", ["drop", "hang", "status", "rate_limit", "refused", "unreachable", "error"])
async def test_no_secret_is_in_a_log_or_an_error(house: ReporterHouse, kind: str, level: str) -> None:
    sink = io.StringIO()
    address = "http://127.0.0.1:1" if kind == "unreachable" else house.slack.address
    hook = f"{address}/services/T0/B0/made-up-secret" + ("-wrong" if kind == "refused" else "")
    token = TOKEN + ("-wrong" if kind == "refused" else "")
    if kind == "error":
        house.slack.fail("error", code=f"{TOKEN} https://hooks.slack.com/services/T0/B0/made-up-secret", times=9)
    elif kind not in ("refused", "unreachable"):
        house.slack.fail(kind, times=9, retry_after=9)
    errors: list[str] = []
    handlers = logging.getLogger().handlers[:]
    configure_logging("test", level, stream=sink)
    try:
        bot = Bot(SecretStr(token), CHANNEL, f"{address}/api/", 1)
        for way in (bot, Webhook(SecretStr(hook), 1)):
            with pytest.raises((NotTakenError, NoAnswerError, RefusedError)) as caught:
                await way.post({"text": "t"}, {"key": "k"}, None)
            assert caught.value.__suppress_context__ or caught.value.__context__ is None
            errors += [str(caught.value), repr(caught.value)]
        with pytest.raises((NotTakenError, NoAnswerError, RefusedError)) as caught:
            await bot.picture(b"png", "name.png", "title")
        errors.append(str(caught.value))
    finally:
        logging.getLogger().handlers[:] = handlers
    for text in (sink.getvalue(), *errors):
        assert "made-up" not in text
        assert "xoxb" not in text
        assert "/services/" not in text
        assert "hooks.slack.com" not in text


async def test_our_errors_say_what_has_to_change(house: ReporterHouse) -> None:
    bot = Bot(SecretStr("xoxb-wrong"), CHANNEL, house.slack.base_url, 1)
    with pytest.raises(RefusedError, match=r"^chat.postMessage: Slack refuses: invalid_auth$") as caught:
        await bot.post({"text": "t"}, {}, None)
    assert caught.value.of is Refusal.SETTINGS


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-secret"}, "SLACK_CHANNEL is missing"),
        ({"SLACK_BOT_TOKEN": "xoxp-secret", "SLACK_CHANNEL": CHANNEL}, "SLACK_BOT_TOKEN is no bot token"),
        ({"SLACK_WEBHOOK_URL": "secret.example"}, "SLACK_WEBHOOK_URL is no address"),
        ({"SLACK_BOT_TOKEN": "xoxb-secret", "SLACK_CHANNEL": "#general"}, "SLACK_CHANNEL = '#general'"),
    ],
)
def test_settings_that_lead_nowhere_are_refused_without_showing_them(given: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_settings(ReporterSettings, given).check()
    assert "secret" not in str(caught.value)
