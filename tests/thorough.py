"""How much is tried: what a landing waits for, or with LOCALREG_THOROUGH=1 all that there is, which takes hours."""

from __future__ import annotations

import os

__all__ = ["THOROUGH"]

THOROUGH = os.environ.get("LOCALREG_THOROUGH") == "1"
