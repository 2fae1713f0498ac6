#!/usr/bin/env python3
"""Draws the workloads of this folder; without arguments writes them all again, and nothing changes.

Lengths are log-normal, as those of chat traffic are. The means are half of those of the ShareGPT conversations that
are widely used for serving benchmarks (161 prompt tokens, 338 answer tokens: Kwon et al. 2023, arXiv:2309.06180,
figure 11), so that a run on two cores takes minutes; their ratio, and with it the share of generation, is kept.
"""
import math
import os
import random

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPT, ANSWER = 161 / 2, 338 / 2
SIGMA_PROMPT, SIGMA_ANSWER = 0.9, 0.6  # of the logarithm
MOST_PROMPT, MOST_ANSWER = 512, 512


def length(rng, mean, sigma, most):
	"""Log-normal with this mean, cut at 4 and `most`."""
	value = rng.lognormvariate(math.log(mean) - sigma * sigma / 2, sigma)
	return max(4, min(most, round(value)))


def chat(rng, n):
	return [(length(rng, PROMPT, SIGMA_PROMPT, MOST_PROMPT), length(rng, ANSWER, SIGMA_ANSWER, MOST_ANSWER))
		for _ in range(n)]


def write(name, comment, settings, rows):
	with open(os.path.join(HERE, name), "w", encoding="ascii") as f:
		f.write("leat-workload 1\n")
		f.writelines(f"# {line}\n" for line in comment)
		f.writelines(f"{line}\n" for line in settings)
		f.write("# ms prompt answer\n")
		f.writelines(f"{at} {prompt} {answer}\n" for at, prompt, answer in rows)


def main():
	rng = random.Random(20231)
	rows = [(0, p, a) for p, a in chat(rng, 32)]
	write("chat32.txt", [
		"32 requests at once, lengths drawn like chat traffic by make.py (seed 20231):",
		f"{sum(p for _, p, _ in rows)} prompt tokens, {sum(a for _, _, a in rows)} answer tokens",
	], ["parallel 32"], rows)
	write("stall.txt", [
		"8 answers of 400 tokens run; after 2 s a prompt of 4,000 tokens comes beside them.",
	], ["parallel 9"], [(0, 64, 400)] * 8 + [(2000, 4000, 16)])
	rng = random.Random(20232)
	at, rows = 0.0, []
	for p, a in chat(rng, 40):
		rows.append((round(at), p, a))
		at += rng.expovariate(1 / 500)
	write("mixed.txt", [
		"40 requests, exponential gaps of 500 ms on average, lengths as in chat32.txt (make.py, seed 20232):",
		f"{sum(p for _, p, _ in rows)} prompt tokens, {sum(a for _, _, a in rows)} answer tokens in "
		f"{rows[-1][0]} ms",
	], ["parallel 8", "queue 24"], rows)


main()
