"""Where the bars come from, as environment for the services."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from tracker.domain.errors import ConfigError, InputError

SIMULATOR = "market_simulator"
CATCH_UP = "6h"
REPLAY_CLOCK = "60x"


class Source(StrEnum):
    """The invented market, candles from files, or a vendor; Coinbase and Kraken need no key."""

    SIMULATED = "simulated"
    REPLAY = "replay"
    POLYGON = "polygon"
    COINBASE = "coinbase"
    KRAKEN = "kraken"

    @property
    def needs_simulator(self) -> bool:
        """Tell whether the bars come from a market of our own."""
        return self in (Source.SIMULATED, Source.REPLAY)


def choose_source(source: Source | None, candles: Path | None) -> Source:
    """Return the source meant by the options; raises InputError where they contradict each other."""
    chosen = source or (Source.REPLAY if candles is not None else Source.SIMULATED)
    if chosen is Source.REPLAY and candles is None:
        raise InputError("--source replay needs --candles DIR, a folder with SYMBOL_TIMEFRAME.csv files")
    if chosen is not Source.REPLAY and candles is not None:
        raise InputError(f"--candles goes with --source replay, not with {chosen}")
    return chosen


def source_environment(
    source: Source,
    simulator_port: int,
    candles: Path | None,
    catch_up: str,
    api_key: str,
    universe: Path,
) -> dict[str, str]:
    """Return what the services must find in their environment.

    The symbols of a replay are those of its files, written to `universe`.

    Raises ConfigError where the vendor's key is missing, InputError where there are no candles to read.
    """
    common = {"TRACKER_SOURCE": source.value}
    if source is Source.POLYGON:
        if not api_key:
            raise ConfigError("environment: POLYGON_API_KEY is missing, which --source polygon needs")
        return common
    if not source.needs_simulator:
        return common
    common |= {
        "POLYGON_WS_URL": f"ws://127.0.0.1:{simulator_port}/crypto",
        "POLYGON_REST_URL": f"http://127.0.0.1:{simulator_port}",
        "POLYGON_API_KEY": "simulated",
    }
    if candles is None:
        return common | {"MARKET_SIMULATOR_CATCH_UP": catch_up}
    return common | {
        "MARKET_SIMULATOR_CANDLES": str(_read_names(candles, universe)),
        "MARKET_SIMULATOR_CLOCK": REPLAY_CLOCK,
        "TRACKER_UNIVERSE": str(universe),
    }


def claim_database(state_dir: Path, environment: Mapping[str, str], source: Source) -> None:
    """Note the source of a database at the first start; raises ConfigError where it had another one.

    Invented and real bars in one table could not be told apart afterwards.
    """
    note = _note(state_dir, environment)
    known = note.read_text(encoding="utf-8").strip() if note.exists() else source.value
    if known != source.value:
        raise ConfigError(
            f"the database holds bars of --source {known}, not {source}:"
            f" name another folder with TRACKER_STATE_DIR, or remove {state_dir}"
        )
    note.write_text(f"{source}\n", encoding="utf-8")


def claimed_source(state_dir: Path, environment: Mapping[str, str]) -> Source | None:
    """Return the source that a database was claimed for, None before its first start."""
    note = _note(state_dir, environment)
    return Source(note.read_text(encoding="utf-8").strip()) if note.exists() else None


def _note(state_dir: Path, environment: Mapping[str, str]) -> Path:
    identity = hashlib.sha256(environment.get("DATABASE_URL", "").encode()).hexdigest()[:8]
    return state_dir / f"source-{identity}"


def _read_names(candles: Path, universe: Path) -> Path:
    # NumPy comes along with it, and is not needed by the other sources.
    from tracker.runtime.candles import candle_files

    from services.control.candle_universe import write_universe

    resolved = candles.expanduser().resolve()
    write_universe(universe, candle_files(resolved))
    return resolved
