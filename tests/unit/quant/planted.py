"""Features that see the future, each in a way that has happened to somebody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from tracker.quant.bars import BarArrays
from tracker.quant.roll_up import roll_up
from tracker.quant.verify.subject import Known, Series, Subject, features_subject

Leak = Callable[[Series, int], Mapping[int, np.ndarray]]


def each(column: Callable[[BarArrays], np.ndarray]) -> Leak:
    return lambda series, _through: {key: column(bars) for key, bars in series.items()}


def shifted(values: np.ndarray, bars: int) -> np.ndarray:
    """Return the values of `bars` bars later."""
    result = np.full(values.shape, np.nan)
    result[: max(len(values) - bars, 0)] = values[bars:]
    return result


def centred(bars: BarArrays) -> np.ndarray:
    return bars.close / np.convolve(bars.close, np.ones(5) / 5, mode="same")


def standardised(bars: BarArrays) -> np.ndarray:
    return (bars.close - bars.close.mean()) / (bars.close.std() + 1e-12)


def open_hour(bars: BarArrays) -> np.ndarray:
    """Return the close of the hour in which a bar lies, as far as it has come."""
    hours = roll_up(bars, 3600, int(bars.ts[-1]) + 3600)
    return hours.close[np.searchsorted(hours.ts, bars.ts, side="right") - 1] / bars.close


def next_rank(series: Series, _through: int) -> Mapping[int, np.ndarray]:
    """Return the share of symbols whose next bar does worse."""
    returns = {key: dict(zip(b.ts.tolist(), shifted(b.close, 1) / b.close, strict=True)) for key, b in series.items()}
    return {
        key: np.array(
            [sum(other.get(ts, np.nan) < returns[key][ts] for other in returns.values()) for ts in bars.ts.tolist()],
            dtype=np.float64,
        )
        for key, bars in series.items()
    }


LEAKS: Mapping[str, Leak] = {
    "centred_mean": each(centred),
    "global_scaling": each(standardised),
    "shift_minus_1": each(lambda bars: shifted(bars.close, 1) / bars.close),
    "unclosed_hour": each(open_hour),
    "peek_across": next_rank,
    "peek_far": each(lambda bars: shifted(bars.close, 200) / bars.close),
}


def with_leak(name: str, subject: Subject) -> Subject:
    """Return the subject with one more column."""

    def compute(series: Series, through: int) -> Mapping[int, Known]:
        leaked = LEAKS[name](series, through)
        return {
            key: replace(known, columns={**known.columns, name: leaked[key]})
            for key, known in subject.compute(series, through).items()
        }

    return replace(subject, compute=compute)


def leaking_features(column: str, leak: str) -> Callable[[int, int | None, Sequence[str]], Subject]:
    """Return features of which one is replaced by a leak."""

    def make(seconds: int, reference: int | None, names: Sequence[str]) -> Subject:
        honest = features_subject(seconds, reference, names)

        def compute(series: Series, through: int) -> Mapping[int, Known]:
            leaked = LEAKS[leak](series, through)
            return {
                key: replace(known, columns={**known.columns, **({column: leaked[key]} if column in names else {})})
                for key, known in honest.compute(series, through).items()
            }

        return replace(honest, compute=compute)

    return make
