"""What the gates share: the tree to look at, its files, C text without comments, and how a gate ends.

Every gate takes `--root DIR` (this tree if absent), prints one line for each violation and one of summary, and exits 1
if there was a violation. A gate that cannot look says `skipped: why` and exits 0."""
import argparse
import pathlib
import re
import sys

C_SUFFIXES = (".c", ".h", ".cu", ".cuh")
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)


class Gate:
	def __init__(self, about, build=False):
		parser = argparse.ArgumentParser(description=about)
		parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
		parser.add_argument("-v", "--verbose", action="store_true")
		if build:
			parser.add_argument("build", nargs="?", type=pathlib.Path, help="build folder (ROOT/build)")
		self.args = parser.parse_args()
		self.root = self.args.root.resolve()
		self.build = (self.args.build or self.root / "build") if build else None
		self.bad = 0

	def complain(self, message):
		print(message)
		self.bad += 1

	def name(self, path):
		return path.relative_to(self.root).as_posix()

	def files(self, *folders, suffixes=C_SUFFIXES):
		found = (p for f in folders for p in (self.root / f).rglob("*"))
		return sorted(p for p in found if p.suffix in suffixes and p.is_file())

	def end(self, summary):
		print(f"{self.bad} violations; {summary}" if self.bad else summary)
		sys.exit(1 if self.bad else 0)

	def skip(self, why):
		print(f"skipped: {why}")
		sys.exit(0)


def without_comments(text, strings=True):
	"""C text with comments (and, if strings is False, the insides of literals) blanked; line numbers stay."""
	def blank(match):
		token = match[0]
		if token[0] == "/":
			return " " + "\n" * token.count("\n")
		return token if strings else token[0] * 2
	return TOKEN.sub(blank, text)


def is_table(lines):
	return any("style: table" in line for line in lines[:5])
