"""Models with their verdicts and variations in the shadow, for a made-up market."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np
import orjson

from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.evidence import WindowFigures
from tracker.quant.promotion import Comparison, criterion
from tracker.testing.filled_decisions import CANDIDATE, CHAMPION, CONFIG_HASH, RETIRED, STRATEGIES
from tracker.testing.filled_market import Copier, Market

SPANS = {"1d": 24.0, "7d": 168.0, "30d": 720.0, "all": 960.0}
VARIATIONS = 40


async def write_models(copier: Copier, market: Market, rng: np.random.Generator) -> None:
    """Write a champion, a candidate that was refused and a model that retired of each strategy, with all that is said
    of them; their bytes are no trees: nothing scores with them.
    """
    models: list[tuple[object, ...]] = []
    for strategy in STRATEGIES:
        for model, status, age in (
            (RETIRED[strategy], "retired", 40), (CHAMPION[strategy], "champion", 20),
            (CANDIDATE[strategy], "candidate", 1),
        ):  # fmt: skip
            made = market.end - timedelta(days=age)
            artifact = f"{strategy} {model}".encode()
            models.append((
                model, strategy, status, made, None if status == "candidate" else made + timedelta(hours=1),
                market.end - timedelta(days=20) if status == "retired" else None, made - timedelta(days=30),
                made - timedelta(days=29), made, RETIRED[strategy] if status == "champion" else None, FEATURE_SET.hash,
                f"{strategy}labels", CONFIG_HASH[strategy], hashlib.sha256(artifact).hexdigest(), artifact,
                '{"slope": 0.97, "intercept": 0.02}', _metrics(rng), _lineage(strategy, age),
                f"<!doctype html><title>{strategy}</title><h1>{strategy.capitalize()} model</h1><p>Made up.</p>",
            ))  # fmt: skip
    models.sort(key=lambda each: str(each[2]) == "champion")
    await copier.put(
        "models",
        ("model_id", "strategy", "status", "created_at", "promoted_at", "retired_at", "learnt_through", "window_from",
         "known_from", "predecessor_id", "feature_hash", "label_config", "config_hash", "sha256", "artifact",
         "calibration", "metrics", "lineage", "card"),
        models,
    )  # fmt: skip
    for strategy in STRATEGIES:
        await _write_judgements(copier, market, strategy, rng)


async def write_shadow(copier: Copier, market: Market, rng: np.random.Generator) -> None:
    """Write variations of each strategy, the live one among them, with their outcomes and the newest trades."""
    variations: list[tuple[object, ...]] = []
    outcomes: list[tuple[object, ...]] = []
    trades: list[tuple[object, ...]] = []
    for strategy in STRATEGIES:
        for number in range(VARIATIONS):
            name = hashlib.sha256(f"{strategy} {number}".encode()).hexdigest()[:16]
            source = "live" if number == 0 else "grid"
            changes = _json({} if number == 0 else {"stop_atr": 1 + number / 20, "target_r": 1 + number % 7 / 4})
            variations.append((name, strategy, number, "15m", "{}", "{}", changes, CONFIG_HASH[strategy], "rules",
                               source, market.start))  # fmt: skip
            skill = rng.normal(0, 0.02)
            outcomes += [_outcome(name, span, hours, skill, market, rng) for span, hours in SPANS.items()]
            trades += _shadow_trades(name, market, rng)
    await copier.put(
        "shadow_variations",
        ("id", "strategy", "number", "timeframe", "params", "rules", "changes", "config_hash", "rules_hash", "source",
         "added_at"),
        variations,
    )  # fmt: skip
    await copier.put(
        "shadow_outcomes",
        ("variation", "span", "as_of", "hours", "trades", "total_return", "sharpe", "psr", "dsr", "max_drawdown",
         "p_value", "mean_trade_return", "lower_bound", "first_half_return", "second_half_return"),
        outcomes,
    )  # fmt: skip
    await copier.put(
        "shadow_testing_trades",
        ("variation", "symbol_id", "decided_at", "entry_at", "exit_at", "entry_price", "exit_price", "quantity", "pnl",
         "fees", "reason"),
        trades,
    )  # fmt: skip
    await copier.put(
        "shadow_cursor", ("strategy", "timeframe", "started_at", "closed_through", "config_hash"),
        [(name, "15m", market.start, market.end - timedelta(minutes=15), "shadow") for name in STRATEGIES],
    )  # fmt: skip
    scans: list[tuple[object, ...]] = []
    for strategy in STRATEGIES:
        for hour in range(24):
            bits = rng.random((VARIATIONS, len(market.names))) < 0.02
            scans.append((
                strategy, market.end - timedelta(minutes=15, hours=hour), VARIATIONS, int(np.count_nonzero(bits)),
                int(np.count_nonzero(bits.any(axis=1))), list(range(1, len(market.names) + 1)),
                zlib.compress(np.packbits(bits).tobytes()), CHAMPION[strategy], int(rng.integers(0, 9)),
            ))  # fmt: skip
    await copier.put(
        "shadow_testing_scans",
        ("strategy", "decided_at", "variations", "signals", "signalling", "symbol_ids", "bitmap", "model_id",
         "held_back"),
        scans,
    )  # fmt: skip


async def _write_judgements(copier: Copier, market: Market, strategy: str, rng: np.random.Generator) -> None:
    good, refused = CHAMPION[strategy], CANDIDATE[strategy]
    window = (market.end - timedelta(days=49), market.end - timedelta(days=20))
    await copier.put(
        "model_verdicts",
        ("model_id", "champion_id", "judged_at", "judged_by", "window_from", "window_to", "criteria", "passed",
         "promoted"),
        [(good, RETIRED[strategy], market.end - timedelta(days=20), "ml_retrainer", *window, _criteria(1.0), True,
          True),
         (refused, good, market.end - timedelta(days=1), "ml_retrainer", *window, _criteria(0.4), False, False)],
    )  # fmt: skip
    await copier.put(
        "model_events", ("at", "strategy", "action", "model_id", "champion_id", "made_by", "reason"),
        [(market.end - timedelta(days=20), strategy, "promote", good, good, "ml_retrainer", "passed the gate"),
         (market.end - timedelta(days=20), strategy, "retire", RETIRED[strategy], good, "ml_retrainer", "replaced")],
    )  # fmt: skip
    for model in (good, refused):
        gains = np.sort(rng.gamma(0.6, 1.0, len(FEATURE_SET.names)))[::-1]
        names = rng.permutation(FEATURE_SET.names).tolist()
        await copier.put(
            "feature_importance", ("model_id", "feature", "gain", "permutation"),
            [(model, name, gain, gain / 2_000) for name, gain in zip(names, gains.tolist(), strict=True)],
        )  # fmt: skip
    psi = np.sort(rng.gamma(0.8, 0.05, len(FEATURE_SET.names)))[::-1].tolist()
    drift = [{"feature": name, "psi": each, "ks": min(each, 0.9)}
             for name, each in zip(rng.permutation(FEATURE_SET.names).tolist(), psi, strict=True)]  # fmt: skip
    watch = [criterion("calibration: share won less probability, at best", 0.04, Comparison.AT_LEAST, -0.1),
             criterion("age in days", 20.0, Comparison.AT_MOST, 30.0)]  # fmt: skip
    await copier.put(
        "model_performance",
        ("watched_at", "window_from", "window_to", "model_id", "strategy", "action", "acted", "figures", "criteria",
         "drift"),
        [(market.end - timedelta(days=day), market.end - timedelta(days=day + 20), market.end - timedelta(days=day),
          good, strategy, "keep", False, _live_figures(rng, 20.0 - day), _json([asdict(each) for each in watch]),
          _json(drift))
         for day in range(10, 0, -1)],
    )  # fmt: skip


def _criteria(share: float) -> str:
    return _json([
        asdict(each) for each in (
            criterion("days in the window", 29.0, Comparison.AT_LEAST, 20.0),
            criterion("independent labels", 812.0, Comparison.AT_LEAST, 300.0),
            criterion("log-loss gained on the base rate, at least", 0.004 * share, Comparison.ABOVE, 0.002),
            criterion("calibration slope", 0.97, Comparison.AT_LEAST, 0.5),
            criterion("lower bound of the mean net return a trade", 0.0009 * share - 0.0004, Comparison.ABOVE, 0.0),
            criterion("Deflated Sharpe", 0.97 * share, Comparison.AT_LEAST, 0.95),
            criterion("hours in the shadow", None if share < 1 else 48.0, Comparison.AT_LEAST, 24.0),
        )
    ])  # fmt: skip


def _metrics(rng: np.random.Generator) -> str:
    gain = float(rng.uniform(0.002, 0.006))
    window = WindowFigures(
        labels=1_843, days=29, effective=812.0, base_rate=0.46, log_loss=0.688 - gain, brier=0.247, auc=0.57,
        base_gain=gain, base_brier_gain=gain / 2, champion_gain=gain / 3, champion_brier_gain=gain / 5, slope=0.97,
        calibration_error=0.011, trades=412, effective_trades=203.0, trade_days=27, mean_return=0.0021,
        return_bound=0.0005, symbol_share=0.14, regime_share=0.6, symbols=12, daily_sharpe=0.31, deflated_sharpe=0.97,
    )  # fmt: skip
    return _json({"base_rate": 0.46, "window": asdict(window), "training": {}, "rounds": 84, "curve": [], "tried": []})


def _live_figures(rng: np.random.Generator, age: float) -> str:
    return _json({
        "labels": 431, "effective": 214.0, "brier": float(rng.normal(0.246, 0.002)), "expected_brier": 0.247,
        "bias": float(rng.normal(0.01, 0.01)), "slope": float(rng.normal(0.95, 0.05)), "calibration_error": 0.012,
        "trades": 96, "mean_return": float(rng.normal(0.0018, 0.0004)), "expected_return": 0.0021,
        "drifted_share": float(rng.uniform(0.02, 0.2)), "age_days": age,
    })  # fmt: skip


def _lineage(strategy: str, age: int) -> str:
    return _json({"labels": {"strategy": strategy}, "learnt": 5_200, "judged": 1_843, "trials": 8, "age": age})


def _outcome(
    name: str, span: str, hours: float, skill: float, market: Market, rng: np.random.Generator
) -> tuple[object, ...]:
    total = float(skill * (hours / 720) ** 0.5 + rng.normal(0, 0.004))
    sharpe = total * 60
    share = float(1 / (1 + np.exp(-sharpe)))
    return (
        name, span, market.end, hours, int(hours / 6), total, sharpe, share, share**3, float(rng.uniform(0.005, 0.05)),
        1 - share, total / max(hours / 6, 1), total / max(hours / 6, 1) - 0.001, total * 0.6, total * 0.4,
    )  # fmt: skip


def _shadow_trades(name: str, market: Market, rng: np.random.Generator) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for place in range(6):
        decided = market.end - timedelta(hours=3 * place + 4)
        gain = float(rng.normal(0.001, 0.01))
        rows.append((
            name, place % len(market.names) + 1, decided, decided + timedelta(minutes=1), decided + timedelta(hours=2),
            100.0, 100 * (1 + gain), 10.0, 1000 * gain - 2, 2.0, "target" if gain > 0 else "stop",
        ))  # fmt: skip
    return rows


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
