"""Every dependency at the lower bound that pyproject.toml promises, as constraints for pip.

python tests/documents/lowest.py > lowest.txt && pip install -e ".[dev]" -c lowest.txt && python -m pytest -m quick
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"


def lowest() -> list[str]:
    """`click==8.1`, …: each requirement with a lower bound, of the base install and of the extras."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    requirements = [*project["dependencies"], *(name for extra in extras for name in extra)]
    found = (re.fullmatch(r"([A-Za-z0-9_-]+)>=([0-9.]+)", requirement) for requirement in requirements)
    return sorted({f"{match[1]}=={match[2]}" for match in found if match})


if __name__ == "__main__":
    print("\n".join(lowest()))
