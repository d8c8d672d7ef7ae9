"""Results of `check` for other programs: JUnit XML, and the annotations of GitHub Actions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from convcalc.analysis.check import Check, SpecCheck
from convcalc.report.check import Result, check_summary, name_of, place_text, results

# Characters that XML 1.0 has no way to write (section 2.2).
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result: Check) -> str:
    """JUnit XML: a suite per spec, a case per limit, growth, lint and error. Warnings are cases that pass."""
    suites = [_suite(spec) for spec in result.specs]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *suites, "</testsuites>", ""])


def _suite(spec: SpecCheck) -> str:
    found = list(results(spec))
    failures = sum(row.result in ("failed", "error") for row in found)
    cases = [_case(row) for row in found] or [_case(Result(*_passed(spec)))]
    head = f"name={_attribute(spec.file)} tests={_attribute(len(cases))} failures={_attribute(failures)}"
    return "\n".join([f"  <testsuite {head}>", *cases, "  </testsuite>"])


def _passed(spec: SpecCheck) -> tuple[str, str, str, None, None, None, None, None, str, str]:
    """The row of a spec without limits and findings."""
    return (spec.file, "spec", "loads", None, None, None, None, None, "passed", "")


def _case(row: Result) -> str:
    name = f"{row.check}: {row.what}" + (f": {row.layer}" if row.check == "lint" else "")
    head = f"    <testcase classname={_attribute(row.spec)} name={_attribute(name)}"
    if row.file is not None and row.line is not None:
        head += f" file={_attribute(row.file)} line={_attribute(row.line)}"
    if not row.message:
        return f"{head}/>"
    where = f"{row.file}:{row.line}: " if row.file is not None else ""
    text = escape(_valid(where + row.message))
    if row.result == "warning":
        return f"{head}>\n      <system-out>{text}</system-out>\n    </testcase>"
    first = _attribute(row.message.split("\n")[0])
    return f"{head}>\n      <failure message={first}>{text}</failure>\n    </testcase>"


def _attribute(value: object) -> str:
    return quoteattr(_valid(str(value)))


def _valid(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)


def github(result: Check) -> str:
    """Workflow commands of GitHub Actions, one a line: `::error file=net.yaml,line=3,title=…::message`."""
    lines = [line for spec in result.specs for row in results(spec) for line in _annotation(spec, row)]
    return "\n".join([*lines, check_summary(result), ""])


def _annotation(spec: SpecCheck, row: Result) -> Iterator[str]:
    if row.result == "passed":
        return
    level = "warning" if row.result == "warning" else "error"
    title = (
        f"{spec.name}: {name_of(row.what)} over budget"
        if row.check == "budget"
        else f"{spec.name}: {row.what}"
    )
    if row.check == "growth":
        title = f"{spec.name}: {name_of(row.what)} grew"
    place = {"file": row.file or spec.file, "line": str(row.line or 1), "title": title}
    properties = ",".join(f"{key}={_property(value)}" for key, value in place.items())
    layer = f"{row.layer}: " if row.check == "lint" else ""
    yield f"::{level} {properties}::{_data(layer + row.message)}"
    if row.check != "budget":
        return
    verdict = next(verdict for verdict in spec.budget if verdict.quantity == row.what)
    for costly in verdict.largest:  # each at its own line
        if costly.mark is not None:
            place = {"file": costly.mark.file, "line": str(costly.mark.line), "title": title}
            properties = ",".join(f"{key}={_property(value)}" for key, value in place.items())
            share = f"{costly.value:,} of {verdict.value:,} {name_of(row.what)}"
            yield f"::{level} {properties}::{_data(f'{place_text(costly.mark)}{costly.layer}: {share}')}"


def _data(text: str) -> str:
    """The message of a workflow command: percent signs and line ends are escaped."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A property of a workflow command: colons and commas are escaped too."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
