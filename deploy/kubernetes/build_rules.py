"""Makes rules.yaml, the Prometheus operator's form of deploy/prometheus/rules.

`python deploy/kubernetes/build_rules.py`; a test holds the file against the rules.
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus/rules"

_HEAD = """\
# Made by build_rules.py from deploy/prometheus/rules; change them there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: reconciler
  labels: {app.kubernetes.io/name: reconciler}
spec:
  groups:
"""


def built() -> str:
    """The text of rules.yaml: the groups of all rule files, indented."""
    text = _HEAD
    for path in sorted(RULES.glob("*.yml")):
        groups = path.read_text(encoding="utf-8").split("\ngroups:\n", 1)[1]
        text += "".join(f"  {line}\n" if line else "\n" for line in groups.rstrip().split("\n"))
    return text


if __name__ == "__main__":
    (HERE / "rules.yaml").write_text(built(), encoding="utf-8")
