#!/usr/bin/env python3
"""Every #include "folder/file.h" is allowed by tools/layers.txt, and that table is a graph without cycles."""
import re
import sys

from gate import Gate, without_comments

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<(leat/[^>]+)>)', re.M)
PROGRAMS = ("cli", "server")  # at the top of the tree, and may include the files beside them without a folder


def read_table(gate):
	allow, leaves = {}, set()
	for n, line in enumerate((gate.root / "tools/layers.txt").read_text().splitlines(), 1):
		line = line.split("#")[0].strip()
		if not line:
			continue
		folder, deps = line.split(":")
		words, deps = folder.split(), deps.split()
		folder = words[-1]
		for dep in deps:
			if dep not in allow:
				gate.complain(f"layers.txt:{n}: {folder} names {dep}, which is not listed above it")
			if dep in leaves:
				gate.complain(f"layers.txt:{n}: {folder} names {dep}, which is a leaf")
		if folder in allow:
			gate.complain(f"layers.txt:{n}: {folder} is listed twice")
		allow[folder] = {folder, *deps}
		if words[0] == "leaf":
			leaves.add(folder)
	return allow


def folder_of_include(target):
	parts = target.split("/")
	if parts[0] == "gen":
		return "quant" if parts[1].startswith("quant_") else "base"
	return parts[0]


def check_file(gate, allow, path, folder):
	text = without_comments(path.read_text(errors="replace"))
	for match in INCLUDE.finditer(text):
		target = match[1] or match[2]
		where = f"{gate.name(path)}:{text.count(chr(10), 0, match.start()) + 1}"
		if ".." in target.split("/"):
			gate.complain(f"{where}: \"{target}\" climbs out of its folder")
		elif "/" not in target:
			if folder not in PROGRAMS:
				gate.complain(f"{where}: \"{target}\" does not name its folder")
		elif folder_of_include(target) not in allow[folder]:
			gate.complain(f"{where}: {folder}/ may not include {folder_of_include(target)}/ ({target})")


def main():
	gate = Gate(__doc__)
	allow = read_table(gate)
	files = gate.files("src", "include", *PROGRAMS)
	for path in files:
		parts = path.relative_to(gate.root).parts
		folder = parts[0] if parts[0] in PROGRAMS else parts[1]
		if folder not in allow:
			gate.complain(f"{gate.name(path)}: folder '{folder}' is not in tools/layers.txt")
			continue
		check_file(gate, allow, path, folder)
	gate.end(f"includes of {len(files)} files within tools/layers.txt" if not gate.bad else f"{len(files)} files")


if __name__ == "__main__":
	sys.exit(main())
