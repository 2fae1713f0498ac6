#!/usr/bin/env python3
"""docs/STATUS.md has a row for every requirement, a known state in each, and a command for each that claims something.

The list of requirements is ../shared/design/REQUIREMENTS.md where it is there; without it the form of the rows is
checked."""
import re
import sys

from gate import Gate

ROW = re.compile(r"^\|\s*([RUN]\d+)\s*\|")
STATES = ("done", "measured", "not yet")


def main():
	gate = Gate(__doc__)
	status = gate.root / "docs/STATUS.md"
	if not status.is_file():
		gate.complain("docs/STATUS.md is missing")
		gate.end("no rows")
	rows = {}
	for n, line in enumerate(status.read_text().splitlines(), 1):
		match = ROW.match(line)
		if not match:
			continue
		where, cells = f"docs/STATUS.md:{n}", [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
		if match[1] in rows:
			gate.complain(f"{where}: {match[1]} has two rows")
		rows[match[1]] = n
		if len(cells) != 4:
			gate.complain(f"{where}: {len(cells)} cells, wanted 4 (id, what, state, shown by)")
		elif cells[2] not in STATES:
			gate.complain(f"{where}: state '{cells[2]}' is none of: {', '.join(STATES)}")
		elif cells[2] != "not yet" and "`" not in cells[3]:
			gate.complain(f"{where}: {match[1]} is '{cells[2]}' and names no command")
	wanted = gate.root.parent / "shared/design/REQUIREMENTS.md"
	if not wanted.is_file():
		if not gate.bad:
			gate.skip(f"{len(rows)} rows are well formed, but there is no ../shared/design to compare with")
		gate.end(f"{len(rows)} rows")
	ids = {match[1] for match in map(ROW.match, wanted.read_text().splitlines()) if match}
	for missing in sorted(ids - rows.keys()):
		gate.complain(f"docs/STATUS.md: no row for {missing}")
	for unknown in sorted(rows.keys() - ids):
		gate.complain(f"docs/STATUS.md:{rows[unknown]}: {unknown} is no requirement")
	gate.end(f"{len(rows)} rows, all {len(ids)} requirements")


if __name__ == "__main__":
	sys.exit(main())
