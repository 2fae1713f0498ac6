#!/usr/bin/env python3
"""At most 5 % of the code lines stand in a run of 8 or more lines that occurs twice.

Counted for the product (src, include, cli, server) and the tests apart. Comments, includes, blank lines and lines of
punctuation do not count; spaces are dropped and digits folded, so that a renumbered copy is a copy. -v lists the worst
files."""
import collections
import re
import sys

from gate import Gate, is_table, without_comments

RUN, MAX_SHARE = 8, 0.05
GROUPS = {"product": ("src", "include", "cli", "server"), "tests": ("tests",)}


def code_lines(path):
	text = path.read_text(errors="replace")
	if is_table(text.splitlines()):
		return []
	lines = (re.sub(r"\d+", "0", re.sub(r"\s+", "", line)) for line in without_comments(text).splitlines())
	return [line for line in lines if re.search(r"\w\w", line) and not line.startswith("#include")]


def measure(gate, group, folders):
	code = {path: code_lines(path) for path in gate.files(*folders)}
	seen = collections.Counter()
	for lines in code.values():
		seen.update(tuple(lines[i:i + RUN]) for i in range(len(lines) - RUN + 1))
	rows, total, dup = [], 0, 0
	for path, lines in code.items():
		hit = set()
		for i in range(len(lines) - RUN + 1):
			if seen[tuple(lines[i:i + RUN])] > 1:
				hit.update(range(i, i + RUN))
		total, dup = total + len(lines), dup + len(hit)
		rows.append((len(hit), len(lines), gate.name(path)))
	said = f"{group}: {dup} of {total} code lines duplicated ({dup / max(total, 1):.1%}, limit {MAX_SHARE:.0%})"
	worst = [row for row in sorted(rows, reverse=True)[:10] if row[0]]
	if dup > MAX_SHARE * total:
		gate.complain(said)
	if gate.args.verbose or dup > MAX_SHARE * total:
		for hits, n, name in worst:
			print(f"  {hits:5} of {n:5}  {name}")
	return said


def main():
	gate = Gate(__doc__)
	said = [measure(gate, group, folders) for group, folders in GROUPS.items()]
	gate.end("; ".join(said))


if __name__ == "__main__":
	sys.exit(main())
