"""The language of workflows.yaml: load it, check it, ask it about objects.

`app` loads the file at start, `decide` reads the result, `cli` checks files for people. The
language is documented in docs/workflows.md.
"""

from reconciler.workflows.definitions import (
    ActionSettings,
    ClosedBooks,
    Company,
    ContactMode,
    CustomerSource,
    OnChange,
    OnDrift,
    PartialRefunds,
    ProductSource,
    Workflow,
    WorkflowFile,
)
from reconciler.workflows.enrolment import Enrolment
from reconciler.workflows.load import load
from reconciler.workflows.problems import Problem, WorkflowErrors
from reconciler.workflows.templates import render

__all__ = [
    "ActionSettings",
    "ClosedBooks",
    "Company",
    "ContactMode",
    "CustomerSource",
    "Enrolment",
    "OnChange",
    "OnDrift",
    "PartialRefunds",
    "Problem",
    "ProductSource",
    "Workflow",
    "WorkflowErrors",
    "WorkflowFile",
    "load",
    "render",
]
