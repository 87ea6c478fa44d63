"""`tracker backtest` over candle files and over the database, and what it says of input it cannot use."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from rich.console import Console
from tracker.domain.errors import ConfigError, InputError
from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.backtest.trading import ledger_signals
from tracker.quant.bulk.desk import PLAN_CONFIDENCE
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scorer import artifact_hash
from tracker.store.database import Database
from tracker.store.models import NewModel, add_model, crown_model, read_model
from tracker.testing.made_up_candles import BEGIN, write_candles
from tracker.testing.models import make_artifact

from services.control.backtest import BacktestRequest, backtest, params_of, write_page
from services.control.backtest_report import report
from services.control.backtest_view import backtest_view, document
from services.control.importing import import_candles
from services.control.settings import ControlSettings

QUIET = Console(quiet=True)


def settings_for(url: str, folder: Path) -> ControlSettings:
    return ControlSettings(DATABASE_URL=SecretStr(url), TRACKER_STATE_DIR=folder)


def request(candles: str | Path, **changes: Any) -> BacktestRequest:
    plain: dict[str, Any] = {
        "strategy": Strategy("channel"),
        "first": None,
        "end": None,
        "symbols": (),
        "params": {},
        "candles": str(candles),
    }
    return BacktestRequest(**(plain | changes))


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    folder = tmp_path / "candles"
    folder.mkdir()
    write_candles(folder / "ADA-USD_5m.csv", seed=3)
    write_candles(folder / "BTC-USD_5m.csv", seed=4)
    return folder


def test_a_backtest_of_files_says_what_came_of_it_and_counts_tries(
    database_url: str, tmp_path: Path, candles: Path
) -> None:
    settings = settings_for(database_url, tmp_path)
    done = backtest(settings, request(candles), QUIET)
    said = document(done)
    assert said["symbols"] == ["ADA-USD", "BTC-USD"]
    assert len(said["trades"]) == len(done.result.traded.trades) > 5
    assert said["metrics"]["trials"] == 1
    assert 0 < said["metrics"]["random_entry_p"] <= 1
    assert said["final_equity"] == pytest.approx(said["start_cash"] * (1 + said["metrics"]["total_return"]), rel=1e-9)
    assert sum(each["trades"] for each in said["per_symbol"]) == len(said["trades"])
    assert sum(each["pnl"] for each in said["per_exit_reason"]) == pytest.approx(
        sum(each["pnl"] for each in said["trades"])
    )
    again = document(backtest(settings, request(candles), QUIET))
    assert again["trades"] == said["trades"]
    assert again["equity"] == said["equity"]
    assert again["metrics"]["trials"] == 1
    other = document(backtest(settings, request(candles, params={"min_strength": 0.5}), QUIET))
    assert other["metrics"]["trials"] == 2
    assert other["metrics"]["deflated_sharpe_ratio"] <= other["metrics"]["probabilistic_sharpe_ratio"]


def test_the_database_gives_what_the_files_give(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(database_url, tmp_path)
    candles = tmp_path / "minutes"
    candles.mkdir()
    for number, symbol in enumerate(("ADA-USD", "BTC-USD")):
        write_candles(candles / f"{symbol}_1m.csv", bars=30_000, minutes=1, seed=number)
    import_candles(settings, [candles], None, None, QUIET)
    span = {"first": BEGIN + timedelta(days=10), "end": BEGIN + timedelta(days=20)}
    files = document(backtest(settings, request(candles, **span), QUIET))
    stored = document(backtest(settings, request("database", **span), QUIET))
    assert stored["trades"] == files["trades"]
    assert len(stored["trades"]) > 3
    assert stored["metrics"]["total_return"] == pytest.approx(files["metrics"]["total_return"], rel=1e-9)


def test_the_page_stands_alone(database_url: str, tmp_path: Path, candles: Path) -> None:
    done = backtest(settings_for(database_url, tmp_path), request(candles), QUIET)
    write_page(tmp_path / "out" / "report.html", report(done))
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") >= 5
    assert "http" not in page
    assert "<script" not in page
    assert "nan" not in page.lower()
    for title in ("Equity", "Drawdown", "By month", "By symbol", "By market regime", "By exit reason", "Exposure"):
        assert title in page
    assert backtest_view(done) is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"params": {"nonsense": 1}}, "channel has no 'nonsense'"),
        ({"params": {"min_strength": 3}}, "min_strength = 3"),
        ({"params": {"min_strength": "high"}}, "min_strength"),
        ({"symbols": ("ZZZ-USD",)}, "'ZZZ-USD'"),
        ({"first": BEGIN + timedelta(days=3), "end": BEGIN + timedelta(days=2)}, "is not after --from"),
        ({"first": BEGIN + timedelta(days=300)}, "no candles in 2024-12-26"),
        ({"candles": "nowhere"}, "nowhere does not exist"),
        ({"candles": "database"}, "has no 15m bars at all"),
        ({"candles": "database", "symbols": ("ADA-USD",)}, "'ADA-USD' is not in the database"),
    ],
)
def test_input_that_cannot_be_used_is_one_sentence(
    database_url: str, tmp_path: Path, candles: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises((InputError, ConfigError)) as caught:
        backtest(settings_for(database_url, tmp_path), request(changes.pop("candles", candles), **changes), QUIET)
    assert words in str(caught.value)
    assert len(str(caught.value).strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ((40, "close", "nan"), ("line 42", "close", "'nan'")),
        ((40, "high", "1e-9"), ("the bar of 2024-03-01T03:20:00 cannot be", "high 1e-09")),
        ((40, "open", "0"), ("open[40] is 0.0",)),
        ((40, "volume", "-1"), ("volume[40] is -1.0",)),
    ],
)
def test_a_bar_that_cannot_be_is_named(
    database_url: str, tmp_path: Path, spoil: tuple[int, str, str], words: tuple[str, ...]
) -> None:
    path = write_candles(tmp_path / "ADA-USD_5m.csv", bars=200, spoil=spoil)
    with pytest.raises(InputError) as caught:
        backtest(settings_for(database_url, tmp_path), request(path), QUIET)
    for each in words:
        assert each in str(caught.value)


@pytest.mark.parametrize("text", ["min_strength", "=3", "min_strength="])
def test_a_parameter_without_name_or_value_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not NAME=VALUE"):
        params_of([text])


def test_parameters_are_numbers_where_they_look_like_numbers() -> None:
    assert params_of(["a=1,b=2.5", "c=high"]) == {"a": 1, "b": 2.5, "c": "high"}


async def _promoted(url: str, known_from: datetime) -> int:
    artifact = make_artifact(4)
    new = NewModel(
        strategy="channel", learnt_through=known_from, window_from=known_from, known_from=known_from,
        feature_hash=FEATURE_SET.hash, label_config="l", config_hash="c", sha256=artifact_hash(artifact),
        artifact=artifact, artifact_path=None, calibration={"slope": 1.0, "intercept": 0.2}, metrics={}, lineage={},
        card="<p>", importance=[],
    )  # fmt: skip
    database = await Database.open(url, role="tracker_ml_retrainer", pool_size=1, application="test")
    async with database.transaction() as transaction:
        model_id, _ = await add_model(transaction, new)
        await crown_model(transaction, await read_model(transaction, model_id), "promote", "test", "better")
        await transaction.commit()
    await database.close()
    return model_id


def test_a_model_is_asked_about_what_it_does_not_know(database_url: str, tmp_path: Path, candles: Path) -> None:
    settings = settings_for(database_url, tmp_path)
    alone = backtest(settings, request(candles), QUIET)
    moments = [int(each.frame.decided_at[row]) for each in alone.result.looks
               for row in np.flatnonzero(each.proposals.is_signal)]
    known_from = datetime.fromtimestamp(int(np.median(moments)), tz=UTC)
    model_id = asyncio.run(_promoted(database_url, known_from))
    done = backtest(settings, request(candles, model="champion"), QUIET)
    said = document(done)["model"]
    assert (said["model_id"], said["known_from"]) == (model_id, known_from.isoformat())
    assert said["held_back"] > 0
    for before, after in zip(alone.result.looks, done.result.looks, strict=True):
        confidence, at = after.proposals.confidence, after.frame.decided_at
        assert not np.isfinite(confidence[at < known_from.timestamp()]).any()
        asked = before.proposals.is_signal & (at >= known_from.timestamp())
        assert np.isfinite(confidence[asked]).all()
        low = asked & (confidence < said["threshold"])
        np.testing.assert_array_equal(after.proposals.is_signal, before.proposals.is_signal & ~low)
        assert set(after.proposals.reason[low]) <= {SkipReason.CONFIDENCE_TOO_LOW}
    # The plans that are traded carry it, as the signals of the ledger do.
    confidences = done.result.signals.plans.plans[:, PLAN_CONFIDENCE]
    signals = ledger_signals(done.result.plan, done.result.looks, done.markets)
    np.testing.assert_array_equal(
        confidences, [np.nan if each.confidence is None else each.confidence for each in signals]
    )
    assert {each.model_id for each in signals} == {None, model_id}
    # It is another try than that without a model, and the same as by its number.
    by_number = backtest(settings, request(candles, model=str(model_id)), QUIET)
    assert document(by_number)["metrics"]["trials"] == 2
    assert document(by_number)["trades"] == document(done)["trades"]


@pytest.mark.parametrize(
    ("model", "says"),
    [("champion", "--model: channel has no champion"), ("best", "'best' is neither a number nor champion"),
     ("7", "--model: there is no model 7")],
)
def test_a_model_that_there_is_not(database_url: str, tmp_path: Path, candles: Path, model: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        backtest(settings_for(database_url, tmp_path), request(candles, model=model), QUIET)
