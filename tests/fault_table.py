"""The table of faults in docs/quickbooks.md, made from the code: `python -m tests.fault_table`."""

from __future__ import annotations

from pathlib import Path

from reconciler.quickbooks.fault_codes import (
    FAULTS,
    GATEWAY_FAULTS,
    QUOTA_EXHAUSTED,
    SYSTEM_ERROR,
    UNDOCUMENTED,
    UNDOCUMENTED_ACCESS,
    FaultRule,
)

PAGE = Path(__file__).parent.parent / "docs" / "quickbooks.md"
BEGIN, END = "<!-- faults: python -m tests.fault_table -->", "<!-- end of faults -->"

_NAMES = {
    id(QUOTA_EXHAUSTED): "429, for the month",
    id(SYSTEM_ERROR): "10000 and more, HTTP 5xx",
    id(UNDOCUMENTED): "any other",
    id(UNDOCUMENTED_ACCESS): "any other of access",
}


def fault_table() -> str:
    """The table as Markdown."""
    rules = [
        *GATEWAY_FAULTS.values(),
        *FAULTS.values(),
        QUOTA_EXHAUSTED,
        SYSTEM_ERROR,
        UNDOCUMENTED,
        UNDOCUMENTED_ACCESS,
    ]
    head = "| code | QuickBooks calls it | reaction | what a person reads | what to do |\n"
    return head + "|---|---|---|---|---|\n" + "\n".join(map(_row, rules))


def _row(rule: FaultRule) -> str:
    code = _NAMES.get(id(rule), rule.code)
    return f"| {code} | {rule.title} | {rule.reaction} | {rule.sentence} | {rule.remedy} |"


def with_table(page: str) -> str:
    """The page with the table as the code has it now."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{fault_table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
