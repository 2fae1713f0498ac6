#!/usr/bin/env python3
"""Sizes of files and functions, banned calls, typedefs, indentation, trailing space, line length.

A data table opts out of the file size with `style: table` in one of its first five lines."""
import json
import re
import subprocess
import sys

from gate import Gate, is_table, without_comments

MAX_FILE, MAX_HEADER, MAX_FUNCTION, MAX_COLUMNS = 800, 300, 80, 120
BANNED = "strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof alloca setjmp longjmp system popen".split()
# A library reports; the program decides, and prints.
BANNED_IN_LIBRARY = """exit abort _exit quick_exit atexit printf vprintf puts putchar perror setlocale chdir signal
	sigaction""".split()
LIBRARY_WORD = re.compile(r"\b(stdout|stderr)\b")
TYPEDEF = re.compile(r"\btypedef\s+(?:const\s+)?(struct|union|enum)\b")
SUFFIX_T = re.compile(r"\btypedef\b[^;{}]*\b(\w+_t)\s*;|\b(?:struct|union|enum)\s+(\w+_t)\s*\{")
CODE = ("src", "include", "cli", "server", "examples", "tests")
OTHER_TEXT = (".py", ".sh", ".cmake", ".txt", ".md")


def call_pattern(names):
	# Not a call of the C library: a member (x->exit(), x.exit()) and a longer name.
	return re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(names))


def check_lines(gate, name, lines, columns):
	for n, line in enumerate(lines, 1):
		if line != line.rstrip():
			gate.complain(f"{name}:{n}: trailing space")
		if columns and len(line.expandtabs(8)) > columns:
			gate.complain(f"{name}:{n}: {len(line.expandtabs(8))} columns, limit {columns}")


def check_code(gate, path):
	name, text = gate.name(path), path.read_text(errors="replace")
	lines = text.splitlines()
	cap = MAX_HEADER if path.suffix in (".h", ".cuh") else MAX_FILE
	if len(lines) > cap and not is_table(lines):
		gate.complain(f"{name}: {len(lines)} lines, limit {cap}")
	check_lines(gate, name, lines, MAX_COLUMNS)
	in_library = name.startswith("src/")
	calls = call_pattern(BANNED + BANNED_IN_LIBRARY * in_library)
	bare = without_comments(text, strings=False)
	for n, line in enumerate(bare.splitlines(), 1):
		for call in calls.findall(line):
			gate.complain(f"{name}:{n}: {call}() is banned")
		if in_library and LIBRARY_WORD.search(line):
			gate.complain(f"{name}:{n}: the library does not use {LIBRARY_WORD.search(line)[1]}")
		if line.startswith("  "):
			gate.complain(f"{name}:{n}: indent with tabs")
		if TYPEDEF.search(line) and not name.startswith("tests/"):
			gate.complain(f"{name}:{n}: a {TYPEDEF.search(line)[1]} is not typedef'd")
	for match in SUFFIX_T.finditer(bare):
		gate.complain(f"{name}: {match[1] or match[2]}: names ending in _t belong to the system")


def check_functions(gate, files):
	if not files:
		return 0
	command = ["ctags", "--quiet", "--output-format=json", "--fields=+ne", "--kinds-c=f", "--kinds-c++=f",
		"--langmap=C:.c.h,C++:.cu.cuh", "-f", "-", *map(str, files)]
	try:
		found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
	except (FileNotFoundError, subprocess.CalledProcessError) as error:
		gate.complain(f"universal-ctags is needed to measure functions ({error})")
		return 0
	tags = [json.loads(line) for line in found.splitlines()]
	for tag in tags:
		lines = tag.get("end", tag["line"]) - tag["line"] + 1
		if lines > MAX_FUNCTION:
			where = f"{tag['path']}:{tag['line']}"
			gate.complain(f"{where}: {tag['name']}() is {lines} lines, limit {MAX_FUNCTION}")
	return len(tags)


def main():
	gate = Gate(__doc__)
	files = gate.files(*CODE)
	for path in files:
		check_code(gate, path)
	functions = check_functions(gate, files)
	texts = [p for p in gate.files("tools", "tests", "models", "bench", "cmake", "docs", suffixes=OTHER_TEXT)]
	texts += [p for p in (gate.root / "dev", gate.root / "CMakeLists.txt", gate.root / ".ci/run") if p.is_file()]
	for path in texts:
		wide = path.suffix in (".md", ".txt") and path.name != "CMakeLists.txt"
		lines = path.read_text(errors="replace").splitlines()
		check_lines(gate, gate.name(path), lines, 0 if wide else MAX_COLUMNS)
	gate.end(f"{len(files)} files, {functions} functions, {len(texts)} other texts")


if __name__ == "__main__":
	sys.exit(main())
