#!/usr/bin/env python3
"""Tables of models (R110) and of machines (R111), made from result files and from nothing else.

	bench/tables.py [RESULT.json...]     prints them; without files: those of bench/results
	bench/tables.py --write              writes bench/results/MODELS.md and HARDWARE.md
	bench/tables.py --check              exits with 1 if those are not what --write would write

A result file is what bench/all.py wrote. Each row carries its machine, its date and the load of the machine when the
measurement began; a cell without a measurement is empty.
"""
import argparse
import glob
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "results")

MODEL_HEAD = ["model", "parameters", "file MiB", "peak RSS MiB", "request ms", "prompt tok/s", "decode tok/s",
	"batched tok/s", "perplexity", "threads", "machine", "date", "load"]
MACHINE_HEAD = ["machine", "date", "threads", "model", "prompt tok/s", "decode tok/s", "memory GB/s", "of peak %",
	"worst stall ms", "load", "build"]


def load(paths):
	results = []
	for path in paths:
		with open(path, encoding="utf-8") as f:
			data = json.load(f)
		results += [r for r in data if isinstance(r, dict) and r.get("model_filename")]
	return results


def median(r, name):
	for f in r.get("figures", []):
		if f["name"] == name:
			return f["median"]
	return None


def machine(r):
	return (r.get("cpu_info") or "").removeprefix("CPU: ").split(" (")[0]


def groups(results):
	"""Results of one model on one machine on one day, in the order of the files."""
	kept, rest = {}, []
	for r in results:
		if r.get("mode") == "perplexity":
			rest.append(r)
			continue
		key = (os.path.basename(r["model_filename"]), machine(r), (r.get("test_time") or "")[:10])
		kept.setdefault(key, []).append(r)
	for r in rest:  # it has neither machine nor date: it goes with its model
		for key, rows in kept.items():
			if key[0] == os.path.basename(r["model_filename"]):
				rows.append(r)
	return kept


def rate(rows, prompt):
	"""Tokens per second of the longest such test of the table."""
	best = None
	for r in rows:
		if not r.get("mode") and "avg_ts" in r and bool(r["n_prompt"]) == prompt and bool(r["n_gen"]) != prompt:
			if best is None or r["n_prompt"] + r["n_gen"] > best[0]:
				best = (r["n_prompt"] + r["n_gen"], sorted(r["samples_ts"])[len(r["samples_ts"]) // 2])
	return best and best[1]


def first(rows, mode, name):
	for r in rows:
		if r.get("mode") == mode and median(r, name) is not None:
			return median(r, name)
	return None


def number(v, digits):
	return "" if v is None else f"{v:.{digits}f}"


def biggest(rows, key):
	values = [r[key] for r in rows if r.get(key)]
	return max(values) if values else None


def perplexity(rows):
	for r in rows:
		if r.get("mode") == "perplexity":
			value = r["result"].get("perplexity") or r["result"].get("ppl")
			return f"{value:.3f} ({r['text']})" if value else ""
	return ""


def model_rows(results):
	for (model, where, date), rows in groups(results).items():
		mib = lambda key: number(biggest(rows, key) and biggest(rows, key) / 2 ** 20, 1)
		yield [model, number(biggest(rows, "model_n_params"), 0), mib("model_size"), mib("rss_bytes"),
			number(first(rows, "latency", "request"), 2), number(rate(rows, True), 1),
			number(rate(rows, False), 2), number(first(rows, "throughput", "batched"), 1),
			perplexity(rows), number(biggest(rows, "n_threads"), 0), where, date,
			number(biggest(rows, "load_average"), 1)]


def machine_rows(results):
	for (model, where, date), rows in groups(results).items():
		yield [where, date, number(biggest(rows, "n_threads"), 0), model, number(rate(rows, True), 1),
			number(rate(rows, False), 2), number(first(rows, "bandwidth", "achieved"), 2),
			number(first(rows, "bandwidth", "share of peak"), 1),
			number(first(rows, "serve-sim", "bound on: worst stall"), 1),
			number(biggest(rows, "load_average"), 1),
			next((r["build_commit"] for r in rows if r.get("build_commit")), "")]


def table(head, rows):
	rows = list(rows)
	lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
	lines += ["| " + " | ".join(row) + " |" for row in rows] or ["", "Nothing has been measured yet."]
	return "\n".join(lines) + "\n"


def report(paths, faults=()):
	"""What belongs to one run."""
	results = load(paths)
	text = "# Measurements\n\nMade by bench/all.py; figures are medians, samples are in the JSON beside this.\n\n"
	text += table(MODEL_HEAD, model_rows(results)) + "\n" + table(MACHINE_HEAD, machine_rows(results))
	for fault in faults:
		text += f"\n- {fault}"
	for r in results:
		if r.get("remarks"):
			text += f"\n## {r['mode']}, {os.path.basename(r['model_filename'])}"
			text += f"{', ' + os.path.basename(r['workload']) if r.get('workload') else ''}\n\n```\n"
			text += "\n".join(r["remarks"]) + "\n```\n"
	return text


def kept_tables():
	results = load(sorted(glob.glob(os.path.join(RESULTS, "*.json"))))
	made = ("Made by `bench/tables.py --write` from the JSON files beside it. Each row was measured on\n"
		"the machine and day that it names.\n\n")
	return {
		"MODELS.md": "# Models compared\n\n" + made + table(MODEL_HEAD, model_rows(results)),
		"HARDWARE.md": "# Machines compared\n\n" + made + table(MACHINE_HEAD, machine_rows(results)),
	}


def main():
	p = argparse.ArgumentParser(description="Tables of models and machines from result files.")
	p.add_argument("files", nargs="*", metavar="RESULT.json")
	p.add_argument("--write", action="store_true")
	p.add_argument("--check", action="store_true")
	opt = p.parse_args()
	if not opt.write and not opt.check:
		sys.stdout.write(report(opt.files or sorted(glob.glob(os.path.join(RESULTS, "*.json")))))
		return 0
	stale = 0
	for name, text in kept_tables().items():
		path = os.path.join(RESULTS, name)
		if opt.write:
			with open(path, "w", encoding="utf-8") as f:
				f.write(text)
		elif not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
			print(f"bench/results/{name} is not what the results say; bench/tables.py --write")
			stale = 1
	return stale


if __name__ == "__main__":
	sys.exit(main())
