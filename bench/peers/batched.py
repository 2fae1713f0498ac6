#!/usr/bin/env python3
"""llama.cpp's batched bench beside leat's: same file, same sizes, the two programs taking turns.

	bench/peers/batched.py --peer DIR -t 2 MODEL.gguf...

DIR is the folder that llama_cpp.sh prints. Writes a Markdown table: S_PP and S_TG are tokens per second of all
sequences together, in the prompt phase and in the answer phase, as llama-batched-bench defines them. Each program is
run as it is; its figures are medians of the rounds.
"""
import argparse
import os
import re
import statistics
import sys

import compare
from compare import Failed, call, json_lines


def options():
	p = argparse.ArgumentParser(description="leat bench batched beside llama-batched-bench, interleaved.")
	p.add_argument("models", nargs="+", metavar="MODEL")
	p.add_argument("--peer", required=True, metavar="DIR", help="folder that llama_cpp.sh printed")
	p.add_argument("--leat", default=os.path.join(compare.REPO, "build", "leat"), metavar="PROGRAM")
	p.add_argument("-t", "--threads", type=int, help="default: one per CPU that may be used")
	p.add_argument("-p", "--n-prompt", type=int, default=128, metavar="N", help="tokens of each prompt")
	p.add_argument("-n", "--n-gen", type=int, default=64, metavar="N", help="tokens of each answer")
	p.add_argument("--parallel", type=int, default=32, metavar="N", help="most sequences: 1, 2, 4 ... up to it")
	p.add_argument("--rounds", type=int, default=3, help="turns of each program")
	p.add_argument("--leat-args", default="", metavar="ARGS", help="more arguments for leat bench")
	p.add_argument("--peer-args", default="-fa on", metavar="ARGS", help="more arguments for llama-batched-bench")
	p.add_argument("--wait-quiet", type=int, default=0, metavar="SECONDS", help="wait for a load below 0.5")
	p.add_argument("--timeout", type=int, default=1800, metavar="SECONDS", help="of one turn")
	opt = p.parse_args()
	if min(opt.n_prompt, opt.n_gen, opt.parallel, opt.rounds) < 1:
		p.error("sizes and rounds are at least 1")
	opt.threads = opt.threads or len(os.sched_getaffinity(0))
	return opt


def counts(opt):
	"""1, 2, 4 ... up to --parallel."""
	return [2 ** i for i in range(opt.parallel.bit_length()) if 2 ** i <= opt.parallel]


def run_leat(opt, model):
	command = [os.path.abspath(opt.leat), "bench", "batched", model, "-p", str(opt.n_prompt), "-n", str(opt.n_gen),
		"--parallel", str(opt.parallel), "-t", str(opt.threads), "-b", "2048", "-r", "1", "-o", "jsonl",
		*opt.leat_args.split()]
	(result,) = json_lines(call(command, opt.timeout)[0])
	rates = {}
	for figure in result["figures"]:
		match = re.fullmatch(r"B=(\d+) (S_PP|S_TG|S)", figure["name"])
		if match: # others are about the run, as its peak memory
			rates[int(match[1]), match[2]] = figure["median"]
	return rates


def run_peer(opt, model):
	n_kv = opt.parallel * (opt.n_prompt + opt.n_gen)
	command = [os.path.join(os.path.abspath(opt.peer), "llama-batched-bench"), "-m", model, "-c", str(n_kv),
		"-b", "2048", "-ub", "512", "-npp", str(opt.n_prompt), "-ntg", str(opt.n_gen),
		"-npl", ",".join(map(str, counts(opt))), "-t", str(opt.threads), "-tb", str(opt.threads),
		"--output-format", "jsonl", *opt.peer_args.split()]
	rates = {}
	for row in json_lines(call(command, opt.timeout, cwd=os.path.abspath(opt.peer))[0]):
		for key, what in (("speed_pp", "S_PP"), ("speed_tg", "S_TG"), ("speed", "S")):
			rates[row["pl"], what] = row[key]
	if not rates:
		raise Failed(f"{command[0]} printed no result")
	return rates


def print_model(opt, model):
	sides = ({}, {})
	for _ in range(opt.rounds):
		for side, run in zip(sides, (run_leat, run_peer)):
			for key, rate in run(opt, model).items():
				side.setdefault(key, []).append(rate)
	for n in counts(opt):
		cells = []
		for what in ("S_PP", "S_TG", "S"):
			mine, theirs = (statistics.median(side.get((n, what), [0])) for side in sides)
			cells += [f"{mine:.1f}", f"{theirs:.1f}", f"{mine / theirs:.2f}" if theirs else "-"]
		print(f"| {os.path.basename(model)} | {n} | {' | '.join(cells)} |", flush=True)


def main():
	opt = options()
	try:
		compare.wait_quiet(opt.wait_quiet)
		print(f"- machine: {compare.machine()}; load average {compare.load_average()} before")
		print(f"- llama.cpp: {compare.Peer(opt.peer, '').about()}; arguments [{opt.peer_args}]")
		print(f"- {opt.threads} threads, prompts of {opt.n_prompt} tokens, answers of {opt.n_gen}, "
			f"medians of {opt.rounds} rounds")
		for model in opt.models:
			digest, size = compare.file_identity(model)
			print(f"- {os.path.basename(model)}: sha256 {digest}, {size} bytes")
		print("\n| model | B | leat S_PP t/s | llama.cpp | ratio | leat S_TG t/s | llama.cpp | ratio |"
			" leat S t/s | llama.cpp | ratio |")
		print("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |")
		for model in opt.models:
			print_model(opt, os.path.abspath(model))
	except Failed as error:
		print(f"batched.py: {error}", file=sys.stderr)
		return 1
	return 0


sys.exit(main())
