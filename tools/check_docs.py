#!/usr/bin/env python3
"""Doxygen finds every declaration of the public headers documented, and nothing wrong with what is said of it.

docs/doxygen.awk reads the headers' plain comments to it."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

from gate import Gate

HERE = pathlib.Path(__file__).resolve().parent.parent


def main():
	gate = Gate(__doc__)
	headers = sorted((gate.root / "include/leat").glob("*.h"))
	if not shutil.which("doxygen"):
		gate.skip("no doxygen here")
	settings = (HERE / "docs/Doxyfile").read_text()
	with tempfile.TemporaryDirectory() as folder:
		settings += f'INPUT = "{gate.root}/include/leat"\nOUTPUT_DIRECTORY = "{folder}"\n'
		settings += f'STRIP_FROM_PATH = "{gate.root}"\nWARN_FORMAT = "$file:$line: $text"\n'
		run = subprocess.run(["doxygen", "-"], input=settings, capture_output=True, text=True, cwd=HERE,
			check=False)
	for line in sorted(set(run.stderr.splitlines())):
		gate.complain(line.removeprefix(f"{gate.root}/"))
	if run.returncode and not gate.bad:
		gate.complain(f"doxygen ended with {run.returncode}")
	gate.end(f"{len(headers)} public headers")


if __name__ == "__main__":
	sys.exit(main())
