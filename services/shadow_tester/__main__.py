"""Run the shadow tester."""

from tracker.runtime.service import main

from services.shadow_tester.service import build
from services.shadow_tester.settings import ShadowTesterSettings

if __name__ == "__main__":
    main("shadow_tester", ShadowTesterSettings, build, role="tracker_shadow_tester")
