"""Run the stand-in exchange: `python -m services.market_simulator --help`."""

from __future__ import annotations

from services.market_simulator.server import main

if __name__ == "__main__":
    main()
