"""Run the paper trader."""

from tracker.runtime.service import main

from services.paper_trader.service import build
from services.paper_trader.settings import PaperTraderSettings

if __name__ == "__main__":
    main("paper_trader", PaperTraderSettings, build, role="tracker_paper_trader")
