#!/usr/bin/env python3
"""count_tests.py RESULTS [REPORT.xml...] - the totals of ./dev test.

RESULTS holds a line `passed|failed|skipped NAME` for each gate, build and fuzz target. Each REPORT is ctest's JUnit
file; a program that reports single cases (cmocka) counts once per case, so that a skipped case inside a passing program
is seen. Names what failed and what was skipped, ends with `N passed, N failed, N skipped`; exits 1 if anything
failed or nothing passed."""
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

CASE = re.compile(r"^\[\s+(OK|SKIPPED|FAILED|ERROR)\s+\] (\w+)", re.M)
WORD = {"OK": "passed", "SKIPPED": "skipped", "FAILED": "failed", "ERROR": "failed"}


def cases_of(case):
	"""(verdict, name) of one ctest test: its cmocka cases where it prints some, itself otherwise."""
	name, status = case.get("name"), case.get("status")
	out = case.findtext("system-out") or ""
	found = {f"{name}.{what}": WORD[word] for word, what in CASE.findall(out) if not what.isdigit()}
	verdicts = [(verdict, what) for what, verdict in found.items()]
	if status == "run":
		return verdicts or [("passed", name)]
	if status == "notrun" and case.find("skipped") is not None:
		return [("skipped", name)]
	if not any(verdict == "failed" for verdict, _ in verdicts):
		verdicts.append(("failed", name))  # it died, ran out of time, or does not exist
	return verdicts


def main():
	counts = collections.Counter()
	rows = [tuple(line.split(None, 1)) for line in pathlib.Path(sys.argv[1]).read_text().splitlines()]
	for report in sys.argv[2:]:
		build = pathlib.Path(report).stem.removeprefix("test-")
		tree = xml.etree.ElementTree.parse(report)
		for case in tree.iter("testcase"):
			rows += [(verdict, f"{build}: {name}") for verdict, name in cases_of(case)]
	for verdict, name in rows:
		counts[verdict] += 1
		if verdict != "passed":
			print(f"{verdict}: {name}")
	print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
	return counts["failed"] > 0 or counts["passed"] == 0


if __name__ == "__main__":
	sys.exit(main())
