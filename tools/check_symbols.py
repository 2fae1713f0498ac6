#!/usr/bin/env python3
"""What the built library defines begins with leat_, it calls nothing that ends or prints for the program, and
libleat.so shows exactly what the public headers declare, under its version.

Reads BUILD/libleat.a and BUILD/libleat.so (BUILD: first argument, ROOT/build if absent)."""
import re
import subprocess
import sys

from gate import Gate, without_comments

# Ends the process, prints, or changes what belongs to the whole process.
BANNED = set("""exit _exit _Exit abort quick_exit atexit on_exit system popen fork execve longjmp _longjmp siglongjmp
	printf vprintf puts putchar perror __printf_chk __vprintf_chk stdout stderr
	signal sigaction setlocale chdir setenv unsetenv putenv getenv secure_getenv
	strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof
	__strcpy_chk __strcat_chk __sprintf_chk""".split())
# The compiler's own: sanitizers and coverage.
OURS = re.compile(r"^(leat_|__odr_asan|__asan_|__sanitizer_|asan\.|__start_|__stop_)")


def symbols(library):
	"""(object, letter, symbol) of every global symbol."""
	out = subprocess.run(["nm", "-A", "-g", str(library)], capture_output=True, text=True, check=True).stdout
	for line in out.splitlines():
		where, rest = line.rsplit(":", 1)
		words = rest.split()
		if len(words) >= 2:
			yield where.rsplit(":", 1)[-1], words[-2], words[-1]


# A declaration of a function for others.
PUBLIC = re.compile(r"\bLEAT_API\b[^;({]*?\b(\w+)\s*\(")


def declared(root):
	headers = sorted((root / "include" / "leat").glob("*.h"))
	texts = (re.sub(r"^[ \t]*#.*", "", without_comments(path.read_text()), flags=re.M) for path in headers)
	return {name for text in texts for name in PUBLIC.findall(text)}


def shown(library):
	"""symbol -> version of everything that libleat.so exports."""
	out = subprocess.run(["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True)
	found = (line.split() for line in out.stdout.splitlines())
	pairs = (words[-1].partition("@") for words in found if words[-2] != "A")
	return {name: version.lstrip("@") for name, _, version in pairs}


def check_age(gate, library):
	"""A library made before a header was changed says nothing about this tree."""
	for path in sorted((gate.root / "include" / "leat").glob("*.h")):
		if path.stat().st_mtime > library.stat().st_mtime:
			gate.complain(f"{library.name} is older than {gate.name(path)}; ./dev build makes it anew")
			return False
	return True


def check_shared(gate, library):
	public, symbols = declared(gate.root), shown(library)
	for name in sorted(symbols.keys() - public):
		gate.complain(f"libleat.so exports {name}, which no public header declares")
	for name in sorted(public - symbols.keys()):
		gate.complain(f"libleat.so does not export {name}, which a public header declares")
	for name in sorted(n for n in symbols if symbols[n] != "LEAT_0"):
		gate.complain(f"libleat.so: {name} has the version '{symbols[name]}', not LEAT_0")
	return len(symbols)


def main():
	gate = Gate(__doc__, build=True)
	library = gate.build / "libleat.a"
	if not library.is_file():
		gate.skip("no libleat.a in the build folder; ./dev build makes it")
	if not check_age(gate, library):
		gate.end("nothing looked at")
	defined = 0
	for member, letter, symbol in symbols(library):
		if letter in "Uwv":
			if symbol.split("@")[0] in BANNED:
				gate.complain(f"{member}: uses {symbol}, which a library must not")
		else:
			defined += 1
			if not OURS.match(symbol):
				gate.complain(f"{member}: global symbol {symbol} does not begin with leat_")
	shared = gate.build / "libleat.so"
	exports = f"{check_shared(gate, shared)} exports of libleat.so" if shared.is_file() else "no libleat.so here"
	gate.end(f"{defined} global symbols of libleat.a, {exports}")


if __name__ == "__main__":
	sys.exit(main())
