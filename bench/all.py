#!/usr/bin/env python3
"""The whole set of measurements on some models (R113): `./dev bench FILE...` calls it.

	bench/all.py --leat build/leat MODEL.gguf...

Runs the table of tokens per second and every mode of `leat bench`, one after another, and writes what they printed as
DATE-MACHINE.json (an array, with the machine's load beside each result) and, made from it by tables.py,
DATE-MACHINE.md. A mode that finds fault (exit 1) is kept and named; one that fails is named, and the exit code is 1.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

import tables

HERE = os.path.dirname(os.path.abspath(__file__))
TRACES = os.path.join(HERE, "traces")

# mode, arguments, arguments of --quick
MODES = [
	("", [], ["-p", "32", "-n", "16", "-r", "2"]),
	("latency", [], ["-r", "5", "--warmups", "1"]),
	("throughput", [], ["--requests", "8", "--parallel", "4", "-r", "2", "--warmups", "1"]),
	("throughput", ["--trace-file", os.path.join(TRACES, "chat32.txt"), "-r", "1", "--warmups", "1"], None),
	("batched", [], ["--parallel", "4", "-p", "16", "-n", "8"]),
	("memory", [], ["-d", "0,100,1000"]),
	("stream", [], ["-d", "10,50", "-r", "2"]),
	("cold", [], ["-r", "5"]),
	("phases", [], ["-n", "16", "-r", "2"]),
	("kernels", [], ["-p", "32", "-n", "16", "-r", "2"]),
	("bandwidth", [], ["-n", "16", "-r", "2"]),
	("serve-sim", ["--trace-file", os.path.join(TRACES, "stall.txt")], None),
	("serve-sim", ["--trace-file", os.path.join(TRACES, "mixed.txt")], ["--requests", "4", "-p", "8", "-n", "4"]),
	("ideas", [], ["-p", "32", "-n", "4", "-r", "2", "--warmups", "0", "--requests", "4", "--parallel", "2"]),
]


def options():
	p = argparse.ArgumentParser(description="All measurements of leat bench on some models.")
	p.add_argument("models", nargs="+", metavar="MODEL")
	p.add_argument("--leat", default=os.path.join(os.path.dirname(HERE), "build", "leat"), metavar="PROGRAM")
	p.add_argument("--out", default=os.path.join(HERE, "results"), metavar="DIR", help="where the two files go")
	p.add_argument("--modes", metavar="NAME,...", help="these only; tokens is the table of tokens per second")
	p.add_argument("--text", metavar="FILE", help="a text whose perplexity goes with the figures, as their quality")
	p.add_argument("--quick", action="store_true", help="small sizes: to see that all works, not to quote")
	p.add_argument("--log", metavar="FILE", help="leat bench --log")
	return p.parse_args()


def load_average():
	return float(open("/proc/loadavg", encoding="ascii").read().split()[0])


def run(command):
	"""(exit code, results) of one run."""
	done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
	results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
	if done.returncode > 1 or not results:
		print(done.stderr.strip()[-2000:], file=sys.stderr)
	return done.returncode, results


def measure(opt, model):
	"""All results of one model, and the names of the modes that failed."""
	found, failed = [], []
	for mode, normal, quick in MODES:
		if (opt.quick and quick is None) or (opt.modes and (mode or "tokens") not in opt.modes.split(",")):
			continue
		print(f"{os.path.basename(model)}: {mode or 'tokens per second'}", file=sys.stderr)
		load, began = load_average(), time.monotonic()
		more = ["--log", opt.log] if opt.log else []
		sizes = quick if opt.quick else normal
		code, results = run([opt.leat, "bench", *([mode] if mode else []), model, *sizes, *more, "-o", "jsonl"])
		if code > 1 or not results:
			failed.append(f"{mode or 'tokens'}: exit {code}")
		elif code:
			failed.append(f"{mode or 'tokens'}: found fault")
		for r in results:
			r["model_filename"] = os.path.basename(r["model_filename"])  # where it lay is private
			r["workload"] = os.path.basename(r.get("workload", ""))
			r.update({"load_average": load, "exit_code": code})
			r["took_s"] = round(time.monotonic() - began, 1)
			found.append(r)
	if opt.text:
		code, results = run([opt.leat, "perplexity", model, "-f", opt.text, "--json"])
		for r in results[-1:]:
			found.append({"mode": "perplexity", "model_filename": os.path.basename(model),
				"text": os.path.basename(opt.text), "result": r})
		if code:
			failed.append(f"perplexity: exit {code}")
	return found, failed


def machine_name(results):
	for r in results:
		if r.get("cpu_info"):
			words = re.sub(r"^CPU: |\(.*?\)|[0-9.]+ ?GHz|@|CPU|Processor", " ", r["cpu_info"])
			return "-".join(re.findall(r"[a-z0-9]+", words.lower().split(",")[0])[:6]) or "machine"
	return "machine"


def main():
	opt = options()
	results, faults = [], []
	for model in opt.models:
		found, failed = measure(opt, model)
		results += found
		faults += [f"{os.path.basename(model)}: {f}" for f in failed]
	if not results:
		print("bench/all.py: nothing was measured", file=sys.stderr)
		return 1
	os.makedirs(opt.out, exist_ok=True)
	path = os.path.join(opt.out, f"{time.strftime('%Y-%m-%d', time.gmtime())}-{machine_name(results)}")
	with open(path + ".json", "w", encoding="utf-8") as f:
		f.write("[\n" + ",\n".join(json.dumps(r) for r in results) + "\n]\n")
	with open(path + ".md", "w", encoding="utf-8") as f:
		f.write(tables.report([path + ".json"], faults))
	print(f"{path}.json\n{path}.md")
	for fault in faults:
		print(f"bench/all.py: {fault}", file=sys.stderr)
	return 1 if any("exit" in f for f in faults) else 0


if __name__ == "__main__":
	sys.exit(main())
