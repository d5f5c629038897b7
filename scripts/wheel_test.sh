#!/usr/bin/env bash
# The wheel as a user gets it: built and installed outside the repository into an empty environment,
# with its run-time dependencies at the versions of requirements.lock; then every first step.
# Usage: wheel_test.sh PYTHON, where PYTHON has what requirements.lock lists
set -euo pipefail
unset PYTHONPATH
root=$(cd "$(dirname "$0")/.." && pwd)
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "wheel_test.sh: line $LINENO failed" >&2' ERR

mkdir "$work/source" "$work/empty"
cp -r "$root"/{mini_exp,pyproject.toml,README.md,LICENSE} "$work/source"
find "$work/source" -name __pycache__ -prune -exec rm -r {} +
cd "$work/empty"
"$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work" "$work/source"
"$python" -m venv "$work/env"
PATH=$work/env/bin:$PATH
pip install --quiet --no-compile --disable-pip-version-check --constraint "$root/requirements.lock" "$work"/*.whl
pip check

python - "$work" <<'PYTHON'
import sys
from importlib.metadata import distribution
from pathlib import Path

import mini_exp

work = Path(sys.argv[1])
installed, source = Path(mini_exp.__file__).parent, work / "source" / "mini_exp"
assert installed.is_relative_to(work / "env"), installed
missing = [p for p in source.rglob("*.*") if not (installed / p.relative_to(source)).exists()]
assert not missing, f"not in the wheel: {missing}"
metadata = distribution("mini-exp").metadata
assert metadata["Version"] == mini_exp.__version__
assert metadata["Description-Content-Type"] == "text/markdown"
assert metadata.get_payload().strip() == (work / "source/README.md").read_text("utf-8").strip()
assert metadata["License-Expression"] == "MIT"
assert any(path.match("licenses/LICENSE") for path in distribution("mini-exp").files)

import torch
from torch import nn

network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
smaller, selection = mini_exp.prune(network, [torch.randn(50, 5)], keep=0.5)
assert selection.widths == {"0": 4}
assert smaller(torch.randn(3, 5)).shape == (3, 2)
PYTHON

# A type checker finds the types: it can tell that the version is no number.
echo 'import mini_exp; version: int = mini_exp.__version__' > typed.py
{ "$python" -m mypy --python-executable "$work/env/bin/python" typed.py || true; } |
  grep 'expression has type "str", variable has type "int"' >/dev/null

mini-exp --version
python -m mini_exp --help > help
(mini-exp || true) &> alone
grep --quiet Usage help alone
mini-exp init my.yaml
mini-exp run my.yaml --set train.epochs=2 --set finetune.epochs=2 --set width.rho.num=3
mini-exp show results/my
test -s results/my/report.md
test -n "$(find results/my -name '*.png' -size +0)"
grep --quiet '<style' results/my/report.html
grep --quiet -E '<(svg|img)' results/my/report.html
echo "the wheel works"
