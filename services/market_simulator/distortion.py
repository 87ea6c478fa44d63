"""What faults make of the frames of the stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from services.market_simulator.faults import BadBar, FaultKind, FaultLedger, FaultOrder
from services.market_simulator.wire import Frame, Message

_DAY_MS, _HALF_MINUTE_MS = 86_400_000, 30_000
_JUMP = 1_000


@dataclass(frozen=True, slots=True)
class Broken(Frame):
    """A frame whose text is cut off in the middle."""


@dataclass(slots=True)
class Distortion:
    """Turns each true frame into the frames that are sent instead: first when they are sent, then as what."""

    ledger: FaultLedger
    held: Frame | None = None
    _late: list[tuple[int, Frame]] = field(default_factory=list[tuple[int, Frame]])
    _burst: list[Frame] = field(default_factory=list[Frame])
    _bad_bars: int = 0

    def of(self, frame: Frame) -> list[Frame]:
        """Return what is sent for a frame: nothing while stalled, the frame as it is without faults."""
        left = self._stalled(frame)
        frames = [] if left is None else self._without_late(left)
        frames += self._overdue(frame.close)
        return [sent for each in self._gathered(self._disordered(frames)) for sent in self._falsified(each)]

    def release(self) -> list[Frame]:
        """Return the frames that wait to be sent after a later one, where no later one will come."""
        waiting = [*self._burst, *self._take_held(), *(frame for _, frame in self._late)]
        self._burst, self._late = [], []
        return waiting

    def amend(self, bars: Iterable[Message]) -> None:
        """Correct bars that wait to be sent: the last word on a bar must not be an old one."""
        latest = {(bar["pair"], bar["s"]): bar for bar in bars}
        self._burst = [_amended(frame, latest) for frame in self._burst]
        self._late = [(due, _amended(frame, latest)) for due, frame in self._late]
        if self.held is not None:
            self.held = _amended(self.held, latest)

    def _stalled(self, frame: Frame) -> Frame | None:
        fault = self.ledger.strike(FaultKind.STALL)
        if fault is None:
            return frame
        return _some(frame.without(fault.order.symbols)) if fault.order.symbols else None

    def _without_late(self, frame: Frame) -> list[Frame]:
        fault = self.ledger.strike(FaultKind.LATE)
        if fault is None:
            return [frame]
        victims = _victims(frame, fault.order)
        self._late.append((frame.close + 60 * fault.order.minutes, frame.of(victims)))
        left = _some(frame.without(victims))
        return [] if left is None else [left]

    def _overdue(self, close: int) -> list[Frame]:
        due = [frame for moment, frame in self._late if moment <= close]
        self._late = [(moment, frame) for moment, frame in self._late if moment > close]
        return [frame for frame in due if frame.bars]

    def _disordered(self, frames: list[Frame]) -> list[Frame]:
        if self.held is not None:
            # The older minute follows the newer one.
            return frames + self._take_held()
        if not frames or self.ledger.strike(FaultKind.DISORDER) is None:
            return frames
        first, *rest = frames
        self.held = Frame(first.close, first.bars[::-1])
        return rest

    def _take_held(self) -> list[Frame]:
        held, self.held = self.held, None
        return [held] if held is not None else []

    def _gathered(self, frames: list[Frame]) -> list[Frame]:
        self._burst += frames
        if self.ledger.strike(FaultKind.BURST) is not None:
            return []
        gathered, self._burst = self._burst, []
        return gathered

    def _falsified(self, frame: Frame) -> list[Frame]:
        # One at a time: a bad bar in a frame that cannot be read would be none.
        sent = self._bad(frame) or self._malformed(frame) or frame
        fault = self.ledger.strike(FaultKind.DUPLICATE)
        if fault is None:
            return [sent]
        again = sent.of(fault.order.symbols) if fault.order.symbols else sent
        self.ledger.note_bars(again.bars)
        return [sent, again]

    def _bad(self, frame: Frame) -> Frame | None:
        fault = self.ledger.strike(FaultKind.BAD_BAR)
        if fault is None:
            return None
        kind = fault.order.bad or list(BadBar)[self._bad_bars % len(BadBar)]
        self._bad_bars += 1
        return self._replaced(frame, fault.order, lambda bar: _bad_bar(bar, kind))

    def _malformed(self, frame: Frame) -> Frame | None:
        fault = self.ledger.strike(FaultKind.MALFORMED)
        if fault is None:
            return None
        if not fault.order.symbols and fault.done % 2 == 1:
            return Broken(frame.close, frame.bars)
        return self._replaced(frame, fault.order, _mistyped)

    def _replaced(self, frame: Frame, order: FaultOrder, change: Callable[[Message], Message]) -> Frame:
        victims = _victims(frame, order)
        bars = tuple(change(bar) if bar["pair"] in victims else bar for bar in frame.bars)
        self.ledger.note_bars(bar for bar in bars if bar["pair"] in victims)
        return Frame(frame.close, bars)


def _victims(frame: Frame, order: FaultOrder) -> set[str]:
    return set(order.symbols) or {frame.bars[0]["pair"]}


def _some(frame: Frame) -> Frame | None:
    return frame if frame.bars else None


def _amended(frame: Frame, latest: dict[tuple[str, int], Message]) -> Frame:
    return replace(frame, bars=tuple(latest.get((bar["pair"], bar["s"]), bar) for bar in frame.bars))


def _mistyped(bar: Message) -> Message:
    wrong: dict[str, Any] = {"o": "n/a", "v": None, "h": [bar["h"]]}
    return {key: value for key, value in (bar | wrong).items() if key != "c"}


def _bad_bar(bar: Message, kind: BadBar) -> Message:
    start, end = bar["s"], bar["e"]
    changes: dict[BadBar, Message] = {
        BadBar.HIGH_BELOW_LOW: {"h": bar["l"] * 0.99},
        BadBar.NEGATIVE_PRICE: {"l": -bar["l"]},
        BadBar.NEGATIVE_VOLUME: {"v": -1.0},
        BadBar.JUMP: {name: bar[name] * _JUMP for name in ("o", "h", "l", "c", "vw")},
        BadBar.FUTURE: {"s": start + _DAY_MS, "e": end + _DAY_MS},
        BadBar.MISALIGNED: {"s": start + _HALF_MINUTE_MS, "e": end + _HALF_MINUTE_MS},
    }
    return bar | changes[kind]
