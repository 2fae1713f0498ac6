#!/usr/bin/env python3
"""No tracked file names a machine, a private path, a private host or a key; none has a name that programs take for an
option, as a slip on a command line leaves."""
import os
import pathlib
import re
import subprocess
import sys

from gate import Gate

# Written so that none of them matches itself.
LEAKS = {
	"a path of one machine": r"/wor[k]/|/far[m]/|[.]librar[y]/|/hom[e]/\w|/Use[r]s/\w|/roo[t]/\w",
	"a private address": r"\b(?:1[0]\.\d+|192\.16[8]|172\.(?:1[6-9]|2\d|3[01])|169\.25[4])\.\d+\.\d+\b",
	"a private host": r"(?:://|@)[\w.-]+\.(?:interna[l]|loca[l]|la[n]|cor[p])\b|"
		r"\b[\w.-]+\.pk[g]\.dev\b|artifact-?registr[y]",
	"a tool that wrote it": r"subagen[t]|this sessio[n]|workplac[e]",
	"a key": r"BEGIN [A-Z ]*PRIVAT[E] KEY|\bgh[p]_\w{20}|\bAKI[A][0-9A-Z]{12}",
}
PATTERNS = {what: re.compile(pattern) for what, pattern in LEAKS.items()}
LARGEST = 4 << 20


def tracked(root):
	"""What git tracks or would (not ignored); everything but build folders where git does not answer."""
	try:
		command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
		out = subprocess.run(command, capture_output=True, check=True).stdout
		names = [root / os.fsdecode(name) for name in out.split(b"\0") if name]
	except (FileNotFoundError, subprocess.CalledProcessError):
		names = [p for p in root.rglob("*") if not re.match(r"(build|\.git/)", p.relative_to(root).as_posix())]
	return sorted(p for p in names if p.is_file() and not p.is_symlink())


def main():
	gate = Gate(__doc__)
	files = tracked(gate.root)
	looked = 0
	for path in files:
		if path.name.startswith("-"):
			gate.complain(f"{gate.name(path)}: a name that begins with '-'")
		data = path.read_bytes()
		if b"\0" in data[:8192] or len(data) > LARGEST:
			continue
		looked += 1
		for n, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
			for what, pattern in PATTERNS.items():
				found = pattern.search(line)
				if found:
					gate.complain(f"{gate.name(pathlib.Path(path))}:{n}: {what}: {found[0]}")
	gate.end(f"{looked} text files of {len(files)}")


if __name__ == "__main__":
	sys.exit(main())
