#!/usr/bin/env python3
"""Compares leat with llama.cpp on the CPU: same file, same run, the two programs taking turns.

	bench/peers/compare.py --peer DIR -t 2 MODEL.gguf...

DIR is the folder that llama_cpp.sh prints. Writes a Markdown table; bench/README.md says what the columns mean.
"""
import argparse
import hashlib
import json
import os
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

MAX_SPREAD = 0.05  # (max - min) / median of the rounds; above it the cell has to be measured again
MAX_LOAD = 0.5
MAX_FOREIGN = 0.02  # share of the machine's CPU time that others may take during the run
REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Failed(Exception):
	"""Something that ends the comparison, in words for the user."""


def options():
	p = argparse.ArgumentParser(description="leat beside llama.cpp on the CPU, interleaved.")
	p.add_argument("models", nargs="+", metavar="MODEL")
	p.add_argument("--peer", required=True, metavar="DIR", help="folder that llama_cpp.sh printed")
	p.add_argument("--leat", default=os.path.join(REPO, "build", "leat"), metavar="PROGRAM")
	p.add_argument("-t", "--threads", type=int, help="default: one per CPU that may be used")
	p.add_argument("-p", "--n-prompt", default="32,512", metavar="N,...", help="prompt lengths; 0 for none")
	p.add_argument("-n", "--n-gen", default="64", metavar="N,...", help="generated tokens; 0 for none")
	p.add_argument("-r", "--repetitions", type=int, default=2, help="of each test inside one round (1 to 3)")
	p.add_argument("--rounds", type=int, default=5, help="turns of each program, at least 5 for a valid cell")
	p.add_argument("--tasksets", metavar="CPU,...", help="pins both programs to these CPUs, as 0,1 or 0-1")
	p.add_argument("--leat-args", default="", metavar="ARGS", help="more arguments for leat bench")
	p.add_argument("--peer-args", default="", metavar="ARGS", help="more arguments for llama-bench")
	p.add_argument("--wait-quiet", type=int, default=0, metavar="SECONDS", help="wait for a load below 0.5")
	p.add_argument("--limits", action="store_true", help="run `leat bench limits` before and after, and show it")
	p.add_argument("--cpu-time", action="store_true",
		help="one thread, in CPU time: for a machine that others use")
	p.add_argument("--null", action="store_true", help="llama.cpp in both seats: shows the noise of this machine")
	p.add_argument("--raw", metavar="FILE", help="append every result as a JSON line")
	p.add_argument("--timeout", type=int, default=900, metavar="SECONDS", help="of one turn")
	opt = p.parse_args()
	if (opt.threads is not None and opt.threads < 1) or opt.rounds < 1 or not 1 <= opt.repetitions <= 3:
		p.error("-t and --rounds are at least 1, -r is 1 to 3")
	if opt.cpu_time and opt.threads not in (None, 1):
		p.error("--cpu-time measures one thread")
	return opt


def pin(cpu_list):
	"""Children inherit the mask, so both programs run under the same one."""
	try:
		cpus = set()
		for part in cpu_list.split(","):
			first, _, last = part.partition("-")
			cpus.update(range(int(first), int(last or first) + 1))
		os.sched_setaffinity(0, cpus)
	except (ValueError, OSError) as error:
		raise Failed(f"--tasksets {cpu_list}: {error}") from error


def use_cpu_time():
	"""Preloads cputime.c into both programs; their clocks then count the CPU time of the process."""
	source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cputime.c")
	folder = tempfile.TemporaryDirectory(prefix="leat-cputime-")
	library = os.path.join(folder.name, "cputime.so")
	call(["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", source, "-o", library], 60)
	os.environ["LD_PRELOAD"] = library
	return folder


def call(command, timeout, cwd=None):
	"""Runs a program to its end; returns its standard output and its messages."""
	try:
		done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
			errors="replace", timeout=timeout, check=False)
	except (OSError, subprocess.TimeoutExpired) as error:
		raise Failed(f"{shlex.join(command)}: {error}") from error
	if done.returncode != 0:
		said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-10:])
		raise Failed(f"{shlex.join(command)}: exit status {done.returncode}\n{said}")
	return done.stdout, done.stderr


def json_lines(text):
	return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_name(row):
	parts = []
	if row.get("n_prompt"):
		parts.append(f"pp{row['n_prompt']}")
	if row.get("n_gen"):
		parts.append(f"tg{row['n_gen']}")
	depth = f" @ d{row['n_depth']}" if row.get("n_depth") else ""
	return "+".join(parts) + depth


class Peer:
	"""llama-bench of one folder."""

	def __init__(self, folder, args):
		self.name = "llama.cpp"
		self.folder = os.path.abspath(folder)
		self.program = os.path.join(self.folder, "llama-bench")
		self.args = shlex.split(args)
		if not os.access(self.program, os.X_OK):
			raise Failed(f"{self.program} is missing; build it with bench/peers/llama_cpp.sh")

	def command(self, model, test_args):
		return [self.program, "-m", model, *test_args, *self.args, "-o", "jsonl"]

	def run(self, model, test_args, timeout):
		# The CPU variants are looked for beside the program and in the working folder: leave no other place.
		return call(self.command(model, test_args), timeout, cwd=self.folder)

	def about(self):
		try:
			with open(os.path.join(self.folder, "PEER"), encoding="utf-8") as file:
				return ", ".join(line.strip().replace("=", " ") for line in file if line.strip())
		except OSError:
			return f"{self.folder} (no PEER file)"

	def probe(self, model, threads, timeout):
		"""Which CPU variant was loaded, and which buffers hold the weights (AMX, CPU_REPACK, mapped file)."""
		test_args = ["-p", "1", "-n", "0", "-r", "1", "-t", str(threads), "--no-warmup", "-v"]
		_, messages = self.run(model, test_args, timeout)
		variants = sorted(set(re.findall(r"libggml-cpu-([\w.-]+)\.so", messages)))
		buffers = re.findall(r"(\S+) model buffer size = *([\d.]+) MiB", messages)
		held = ", ".join(f"{name} {size} MiB" for name, size in buffers) or "not reported"
		return "+".join(variants) or "not reported", held


class Leat:
	"""`leat bench` of one program."""

	def __init__(self, program, args):
		self.name = "leat"
		self.program = os.path.abspath(program)
		self.args = shlex.split(args)
		if not os.access(self.program, os.X_OK):
			raise Failed(f"{self.program} is missing; build it with ./dev build or name it with --leat")

	def command(self, model, test_args):
		return [self.program, "bench", model, *test_args, *self.args, "-o", "jsonl"]

	def run(self, model, test_args, timeout):
		return call(self.command(model, test_args), timeout)

	def about(self):
		said = ["git", "-C", REPO, "describe", "--always", "--dirty"]
		try:
			return f"tree at {call(said, 20)[0].strip()}"
		except Failed:
			return "tree without git"


class Watch:
	"""CPU time that others took while our programs ran, as a share of all CPUs; other guests' share is 'steal'."""

	def __init__(self):
		self.before = self.read()

	@staticmethod
	def read():
		ticks = os.sysconf("SC_CLK_TCK")
		with open("/proc/stat", encoding="ascii") as file:
			cpu = [int(word) / ticks for word in file.readline().split()[1:9]]
		own = 0.0
		for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF):
			used = resource.getrusage(who)
			own += used.ru_utime + used.ru_stime
		return {"busy": sum(cpu) - cpu[3] - cpu[4] - cpu[7], "all": sum(cpu), "steal": cpu[7], "own": own}

	def shares(self):
		after = self.read()
		spent = {key: after[key] - self.before[key] for key in after}
		total = max(spent["all"], 1e-9)
		return max(0.0, spent["busy"] - spent["own"]) / total, spent["steal"] / total


def load_average():
	with open("/proc/loadavg", encoding="ascii") as file:
		return " ".join(file.read().split()[:3])


def wait_quiet(seconds):
	end = time.monotonic() + seconds
	while float(load_average().split()[0]) >= MAX_LOAD and time.monotonic() < end:
		time.sleep(2)


def file_identity(path):
	"""First 16 digits of the SHA-256, and the size. Reading it also warms the page cache for both programs."""
	digest = hashlib.sha256()
	with open(path, "rb") as file:
		while block := file.read(1 << 20):
			digest.update(block)
	return digest.hexdigest()[:16], os.path.getsize(path)


def one_turn(seat, model, test_args, opt):
	"""{test name: tokens per second} of one run of one program."""
	try:
		rows = json_lines(seat.run(model, test_args, opt.timeout)[0])
		rates = {test_name(row): float(row["avg_ts"]) for row in rows}
	except (ValueError, KeyError) as error:
		said = f"{shlex.join(seat.command(model, test_args))}: not llama-bench's JSON ({error!r})"
		raise Failed(said) from error
	for row in rows:
		if row.get("n_threads", opt.threads) != opt.threads:
			raise Failed(f"{seat.name} ran with {row['n_threads']} threads, wanted {opt.threads}")
		if opt.raw:
			with open(opt.raw, "a", encoding="utf-8") as file:
				file.write(json.dumps({"program": seat.name, **row}) + "\n")
	if not rates:
		raise Failed(f"{shlex.join(seat.command(model, test_args))}: no result on standard output")
	return rates


def measure(seats, model, opt):
	"""A/B/A/B: for each seat {test: [a figure per round]}."""
	test_args = ["-p", opt.n_prompt, "-n", opt.n_gen, "-r", str(opt.repetitions), "-t", str(opt.threads)]
	figures = [{}, {}]
	for number in range(opt.rounds):
		for seat, rates in zip(seats, figures):
			for test, rate in one_turn(seat, model, test_args, opt).items():
				rates.setdefault(test, []).append(rate)
		print(f"round {number + 1} of {opt.rounds}: {os.path.basename(model)}", file=sys.stderr)
	return figures


def spread(rates):
	return (max(rates) - min(rates)) / statistics.median(rates)


def cell(rates):
	def figure(rate):
		return f"{rate:.2f}" if rate < 100 else f"{rate:.0f}"
	return f"{figure(statistics.median(rates))} [{figure(min(rates))}..{figure(max(rates))}]"


def table_row(name, test, mine, theirs, quiet):
	if not mine or not theirs:
		shown = [cell(rates) if rates else "-" for rates in (mine, theirs)]
		return f"| {name} | {test} | {shown[0]} | {shown[1]} | - | one side only |"
	faults = [] if quiet else ["not quiet"]
	if min(len(mine), len(theirs)) < 5:
		faults.append("under 5 rounds")
	worst = max(spread(mine), spread(theirs))
	if worst > MAX_SPREAD:
		faults.append(f"spread {100 * worst:.0f} %")
	ratio = statistics.median(mine) / statistics.median(theirs)
	return f"| {name} | {test} | {cell(mine)} | {cell(theirs)} | {ratio:.2f} | {', '.join(faults) or 'yes'} |"


def machine():
	with open("/proc/cpuinfo", encoding="utf-8") as file:
		names = re.findall(r"model name\s*: (.*)", file.read())
	cpus = sorted(os.sched_getaffinity(0))
	return f"{names[0] if names else 'unknown CPU'}, CPUs {','.join(map(str, cpus))} of {os.cpu_count()}"


def show_limits(seat, when, opt):
	if not opt.limits or opt.null:
		return
	try:
		said = call([seat.program, "bench", "limits"], opt.timeout)[0].rstrip()
		print(f"\n`leat bench limits`, {when}:\n\n```\n{said}\n```\n")
	except Failed as error:
		print(f"- `leat bench limits`, {when}: skipped ({str(error).splitlines()[-1]})")


def print_setting(seats, models, opt):
	leat, peer = seats
	now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
	print(f"- machine: {machine()}; kernel {os.uname().release}; {now}")
	print(f"- leat: {'not run, llama.cpp is in both seats' if opt.null else leat.about()}")
	print(f"- llama.cpp: {peer.about()}")
	print(f"- {opt.threads} threads, {opt.rounds} rounds of {opt.repetitions} repetitions; "
		f"more arguments: leat [{opt.leat_args}], llama.cpp [{opt.peer_args}]")
	for model in models:
		digest, size = file_identity(model)
		variant, buffers = peer.probe(model, opt.threads, opt.timeout)
		print(f"- {os.path.basename(model)}: sha256 {digest}, {size} bytes; "
			f"llama.cpp loaded variant {variant}, weights in {buffers}")


def print_table(models, results, quiet, opt):
	first = "llama.cpp, first seat" if opt.null else "leat"
	print(f"\n| model | test | {first} t/s | llama.cpp t/s | ratio | valid |")
	print("| --- | --- | ---: | ---: | ---: | --- |")
	for model, (mine, theirs) in zip(models, results):
		for test in {**mine, **theirs}:
			print(table_row(os.path.basename(model), test, mine.get(test), theirs.get(test), quiet))


def compare(opt):
	if opt.tasksets:
		pin(opt.tasksets)
	if opt.cpu_time:
		opt.threads = 1
		kept = use_cpu_time()  # the folder lives as long as the name
		print("- times are CPU time of the process, not of the clock on the wall")
	if opt.threads is None:
		opt.threads = len(os.sched_getaffinity(0))
	peer = Peer(opt.peer, opt.peer_args)
	seats = [peer if opt.null else Leat(opt.leat, opt.leat_args), peer]
	models = [os.path.abspath(model) for model in opt.models]
	print_setting(seats, models, opt)
	show_limits(seats[0], "before", opt)
	wait_quiet(opt.wait_quiet)
	load, watch = load_average(), Watch()
	results = [measure(seats, model, opt) for model in models]
	foreign, steal = watch.shares()
	quiet = opt.cpu_time or float(load.split()[0]) < MAX_LOAD and foreign + steal <= MAX_FOREIGN
	print(f"- load average {load} before, {load_average()} after; "
		f"CPU time of others {100 * foreign:.1f} %, stolen {100 * steal:.1f} %")
	show_limits(seats[0], "after", opt)
	print_table(models, results, quiet, opt)
	if opt.cpu_time:
		kept.cleanup()


def main():
	try:
		compare(options())
	except Failed as error:
		print(f"compare.py: {error}", file=sys.stderr)
		return 1
	except OSError as error:
		print(f"compare.py: {error.filename}: {error.strerror}", file=sys.stderr)
		return 1
	return 0


if __name__ == "__main__":
	sys.exit(main())
