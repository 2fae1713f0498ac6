#!/usr/bin/env python3
"""What the built library defines begins with leat_, and it calls nothing that ends or prints for the program.

Reads BUILD/libleat.a (BUILD: first argument, ROOT/build if absent)."""
import re
import subprocess
import sys

from gate import Gate

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


def main():
	gate = Gate(__doc__, build=True)
	library = gate.build / "libleat.a"
	if not library.is_file():
		gate.skip("no libleat.a in the build folder; ./dev build makes it")
	defined = 0
	for member, letter, symbol in symbols(library):
		if letter in "Uwv":
			if symbol.split("@")[0] in BANNED:
				gate.complain(f"{member}: uses {symbol}, which a library must not")
		else:
			defined += 1
			if not OURS.match(symbol):
				gate.complain(f"{member}: global symbol {symbol} does not begin with leat_")
	gate.end(f"{defined} global symbols of libleat.a")


if __name__ == "__main__":
	sys.exit(main())
