"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A shared machine may stall for a second at any place: slowness is measured by benchmarks, not by examples.
settings.register_profile("hmt-qa", deadline=None)
settings.load_profile("hmt-qa")
