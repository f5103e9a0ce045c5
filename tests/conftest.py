"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# As the command line does, before anything imports torch: docs/decisions/0007.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# A shared machine may stall for a second at any place: slowness is measured by benchmarks, not by examples.
settings.register_profile("hmt-qa", deadline=None)
settings.load_profile("hmt-qa")
