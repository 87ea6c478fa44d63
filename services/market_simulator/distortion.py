"""What faults make of the frames of the stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.market_simulator.faults import Fault, FaultKind, FaultLedger
from services.market_simulator.wire import Frame, Message


@dataclass(frozen=True, slots=True)
class Broken(Frame):
    """A frame whose text is cut off in the middle."""


@dataclass(slots=True)
class Distortion:
    """Turns each true frame into the frames that are sent instead."""

    ledger: FaultLedger
    held: Frame | None = None

    def of(self, frame: Frame) -> list[Frame]:
        """Return what is sent for a frame: nothing while stalled, the frame as it is without faults."""
        whole: Frame | None = self._stalled(frame)
        if whole is None:
            return []
        whole = self._malformed(whole)
        frames = [whole]
        if (fault := self.ledger.strike(FaultKind.DUPLICATE)) is not None:
            frames.append(_concerned(whole, fault))
        return self._disordered(frames)

    def release(self) -> list[Frame]:
        """Return the frame that waits to be sent after a later one, where no later one will come."""
        held, self.held = self.held, None
        return [held] if held is not None else []

    def _stalled(self, frame: Frame) -> Frame | None:
        fault = self.ledger.strike(FaultKind.STALL)
        if fault is None:
            return frame
        left = frame.without(fault.order.symbols) if fault.order.symbols else None
        return left if left is not None and left.bars else None

    def _malformed(self, frame: Frame) -> Frame:
        fault = self.ledger.strike(FaultKind.MALFORMED)
        if fault is None:
            return frame
        if not fault.order.symbols and fault.done % 2 == 1:
            return Broken(frame.close, frame.bars)
        victims = set(fault.order.symbols) or {frame.bars[0]["pair"]}
        return Frame(
            frame.close, tuple(_mistyped(bar) if bar["pair"] in victims else bar for bar in frame.bars)
        )

    def _disordered(self, frames: list[Frame]) -> list[Frame]:
        if self.held is not None:
            # The older minute follows the newer one.
            return frames + self.release()
        if self.ledger.strike(FaultKind.DISORDER) is None:
            return frames
        first, *rest = frames
        self.held = Frame(first.close, first.bars[::-1])
        return rest


def _concerned(frame: Frame, fault: Fault) -> Frame:
    return frame.of(fault.order.symbols) if fault.order.symbols else frame


def _mistyped(bar: Message) -> Message:
    wrong: dict[str, Any] = {"o": "n/a", "v": None, "h": [bar["h"]]}
    return {key: value for key, value in (bar | wrong).items() if key != "c"}
