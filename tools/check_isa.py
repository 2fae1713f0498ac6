#!/usr/bin/env python3
"""Only src/cpu/isa_*.c and src/cpu/amx_*.c may hold instructions beyond baseline x86-64, and isa_avx2.c no AVX-512.

One such instruction elsewhere ends the program on an older CPU. Disassembles the objects of BUILD (first argument,
ROOT/build if absent)."""
import platform
import re
import subprocess
import sys

from gate import Gate

# VEX and EVEX forms (v... on xmm, ymm, zmm), mask and tile registers, BMI2.
BEYOND = re.compile(r"\t(?:v[a-z0-9]+\b.*%[xyz]mm|vzero(?:upper|all)|[a-z0-9]+\b.*(?:%k[0-7]|%[yz]mm|%tmm)|"
	r"(?:bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx)[lq]?\s)")
AVX512 = re.compile(r"%zmm|%k[0-7]|%[xy]mm(?:1[6-9]|2\d|3[01])|%tmm")
TILE = re.compile(r"%tmm|\ttile|\tldtilecfg|\tsttilecfg")


def rule_of(source):
	"""The pattern that this object may not contain; None if it may contain anything."""
	match = re.search(r"src/cpu/((?:isa|amx)_\w+)\.c", source)
	if not match or match[1] == "isa_scalar":
		return BEYOND
	if match[1] == "isa_avx2":
		return AVX512
	if match[1].startswith("isa_avx512"):
		return TILE
	return None


def check_object(gate, path, source, rule):
	out = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(path)], capture_output=True, text=True,
		check=True).stdout
	function = "?"
	for line in out.splitlines():
		if line.endswith(">:"):
			function = line.split("<")[-1][:-2]
		elif rule.search(line):
			gate.complain(f"{source}: {function}(): {line.split(chr(9), 1)[-1].strip()}")
			return


def main():
	gate = Gate(__doc__, build=True)
	if platform.machine() not in ("x86_64", "AMD64"):
		gate.skip(f"instruction sets are told apart on x86-64 only, this is {platform.machine()}")
	folders = [gate.build / "CMakeFiles" / f"{target}.dir" for target in ("libleat", "leat")]
	objects = sorted(path for folder in folders for path in folder.rglob("*.o"))
	if not objects:
		gate.skip("no objects in the build folder; ./dev build makes them")
	for path in objects:
		source = path.relative_to(gate.build / "CMakeFiles").as_posix().split("/", 1)[1].removesuffix(".o")
		rule = rule_of(source)
		if rule:
			check_object(gate, path, source, rule)
	gate.end(f"{len(objects)} objects")


if __name__ == "__main__":
	sys.exit(main())
