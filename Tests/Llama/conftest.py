"""The helpers and fixtures of the system tests serve here too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "SystemTests"))
