"""Copy the tables of the committed reference runs into README.md."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"


def blocks() -> dict[str, str]:
    """The text of every marked block of the README, from the committed artifacts."""
    claims = (RESULTS / "mini" / "study" / "claims.md").read_text(encoding="utf-8")
    verdicts = [line for line in claims.splitlines() if line.startswith("|")]
    end = next(i for i, line in enumerate(verdicts) if line.startswith("| C10"))
    table = (RESULTS / "mini" / "table1.md").read_text(encoding="utf-8").strip()
    comparisons = {
        name + suffix: _table(name, header)
        for name in ("digits", "cifar10")
        for suffix, header in (("", "| Widths"), ("_budget", "| Budget"))
    }
    return {"verdicts": "\n".join(verdicts[: end + 1]), "table1": table, **comparisons}


def _table(name: str, header: str) -> str:
    """A table of a comparison by how its header begins."""
    text = (RESULTS / name / "compare" / "compare.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(header))
    return "\n".join(itertools.takewhile(lambda line: line.startswith("|"), lines[start:]))


def updated(readme: str) -> str:
    """The README with its marked blocks replaced."""
    for name, text in blocks().items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        readme = re.sub(pattern, rf"\g<1>\n{text}\n\n\g<2>", readme, count=1, flags=re.S)
    return readme


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
