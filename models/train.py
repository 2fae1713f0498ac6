#!/usr/bin/env python3
"""Makes the demo models from nothing: corpus, tokenizer, both trainings, export, evaluation, golden data.

usage: train.py [--out FOLDER] [--oracle FOLDER]     one CUDA GPU, PyTorch and Triton
       train.py --tiny [--out FOLDER]                a smoke run on a CPU; its models are no good
"""

import argparse
import json
import math
import multiprocessing
import os
import tempfile
import time
from array import array
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F

import bpe
import corpus
import export
import nets
import wkv

VOCAB, DIM, FFN, LAYERS = 2048, 256, 768, 5
RANKS = {"w": 32, "a": 32, "v": 32, "g": 32}
HEADS, KV_HEADS, THETA = 4, 2, 10000.0
PROMPT = "Once upon a time"
# Enough stories for a tokenizer of VOCAB tokens.
TINY_STORIES, TINY_VALID, TINY_STEPS = 100, 4, 2
TOKENIZER = None


def note(start, text):
	print("%7.1f s  %s" % (time.time() - start, text), flush=True)


def count_range(span):
	total = Counter()
	for i in range(*span):
		total.update(bpe.count_words(corpus.story(i)))
	return total


def set_tokenizer(merges):
	global TOKENIZER
	TOKENIZER = bpe.Tokenizer(merges)


def encode_range(span):
	"""Token ids (with the end mark), story starts and text bytes of the stories of a seed range."""
	ids, starts, n_bytes = array("H"), array("q"), 0
	for i in range(*span):
		text = corpus.story(i)
		starts.append(len(ids))
		ids.extend(TOKENIZER.encode(text))
		ids.append(bpe.END_ID)
		n_bytes += len(text.encode())
	return ids.tobytes(), starts.tobytes(), n_bytes


def spans(first, count, step):
	return [(i, min(i + step, first + count)) for i in range(first, first + count, step)]


def encode_all(pool, first, count, device):
	parts, starts, at, n_bytes = [], [], 0, 0
	for ids, st, nb in pool.imap(encode_range, spans(first, count, 500)):
		ids, st = np.frombuffer(ids, np.uint16), np.frombuffer(st, np.int64)
		parts.append(ids.astype(np.int32))
		starts.append(st + at)
		at += len(ids)
		n_bytes += nb
	ids, starts = (torch.from_numpy(np.concatenate(x)).to(device) for x in (parts, starts))
	return ids, starts, n_bytes


def check_equations(oracle, device):
	"""The recurrent form against published logits, and the Triton form against the recurrent one."""
	worst = {}
	if oracle:
		import gguf
		for name, layers in (("rwkv7-4h", 2), ("rwkv-7v0-834K", 12)):
			folder = os.path.join(oracle, name)
			r = gguf.Reader(os.path.join(folder, "model.gguf"))
			with open(os.path.join(folder, "expected.json")) as f:
				tokens = torch.tensor([json.load(f)["tokens"]], device=device)
			p = {k: torch.tensor(v, device=device) for k, v in r.tensors.items()}
			want = np.fromfile(os.path.join(folder, "logits.f32"), np.float32).reshape(tokens.shape[1], -1)
			for form, fn in (("scan", wkv.wkv_scan), ("triton", wkv.wkv_fast)):
				if form == "triton" and device == "cpu":
					continue
				got = nets.rwkv7(p, tokens, layers, fn)[0].cpu().numpy()
				worst["%s %s" % (name, form)] = float(np.abs(got - want).max())
	if device != "cpu":
		torch.manual_seed(7)
		shape = (2, 96, 3, 64)
		z = [torch.randn(shape, device=device) for _ in range(6)]
		z[1] = torch.exp(-0.6065 * torch.sigmoid(z[1]))
		kk = F.normalize(z[4], dim=-1)
		z[4], z[5] = -kk, kk * torch.sigmoid(z[5])
		up = torch.randn(shape, device=device)
		outs = []
		for fn, kind in ((wkv.wkv_scan, torch.float64), (wkv.wkv_fast, torch.float32)):
			args = [x.to(kind).detach().requires_grad_() for x in z]
			y = fn(*args)
			y.backward(up.to(kind))
			outs.append([y] + [x.grad for x in args])
		for name, a, b in zip(("y", "dr", "dw", "dk", "dv", "da", "db"), *outs):
			worst["kernel " + name] = ((a - b).norm() / a.norm()).item()
	for name, err in worst.items():
		print("  check %-24s %.2e" % (name, err))
		if not err < 1e-3:
			raise SystemExit("the equations disagree: " + name)
	return worst


def rate(step, steps, top, warm):
	if step < warm:
		return top * (step + 1) / warm
	return top * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))))


def rows_at(data, at, length):
	return data[(at[:, None] + torch.arange(length, device=data.device)).clamp(max=len(data) - 1)].long()


def train(name, p, fn, data, starts, cfg, start):
	"""AdamW with a cosine rate on rows that begin at story starts; returns weights and seconds."""
	device = data.device
	p = {k: v.to(device).requires_grad_() for k, v in p.items()}
	decay = [v for k, v in p.items() if v.dim() == 2 and "lerp" not in k]
	plain = [v for k, v in p.items() if not (v.dim() == 2 and "lerp" not in k)]
	opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
		lr=cfg["lr"], betas=(0.9, 0.98), eps=1e-10 if device.type == "cuda" else 1e-8)
	gen = torch.Generator().manual_seed(1)
	starts = starts[starts < len(data) - cfg["context"] - 1].cpu()
	t0 = time.time()
	for step in range(cfg["steps"]):
		for group in opt.param_groups:
			group["lr"] = rate(step, cfg["steps"], cfg["lr"], cfg["warm"])
		at = starts[torch.randint(len(starts), (cfg["batch"],), generator=gen)]
		rows = rows_at(data, at.to(device), cfg["context"] + 1)
		with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
			logits = fn(p, rows[:, :-1])
		loss = F.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten())
		opt.zero_grad(set_to_none=True)
		loss.backward()
		torch.nn.utils.clip_grad_norm_([v for v in p.values() if v.grad is not None], 1.0)
		opt.step()
		if step % cfg["log"] == 0 or step == cfg["steps"] - 1:
			note(start, "%s step %d loss %.4f" % (name, step, loss.item()))
			if time.time() - t0 > cfg["limit_s"]:
				raise SystemExit("training is too slow: %s" % name)
	return {k: v.detach() for k, v in p.items()}, time.time() - t0


def valid_loss(p, fn, data, length, batch):
	"""Mean nats per token over consecutive rows of the validation stream, in float32."""
	n = (len(data) - 1) // length
	at, total = torch.arange(n, device=data.device) * length, 0.0
	with torch.no_grad():
		for i in range(0, n, batch):
			rows = rows_at(data, at[i:i + batch], length + 1)
			logits = fn(p, rows[:, :-1]).flatten(0, 1)
			total += F.cross_entropy(logits, rows[:, 1:].flatten(), reduction="sum").item()
	return total / (n * length)


def ngrams(train_data, valid):
	"""Interpolated bigram and trigram loss in nats per token; the prior's weight is the best one on VALID."""
	x, y = train_data.long(), valid.long()
	uni = torch.bincount(x, minlength=VOCAB).double()
	bi = torch.bincount(x[:-1] * VOCAB + x[1:], minlength=VOCAB * VOCAB).double()
	keys, counts = torch.unique((x[:-2] * VOCAB + x[1:-1]) * VOCAB + x[2:], return_counts=True)
	a, b, c = y[:-2], y[1:-1], y[2:]
	p1 = (uni[c] + 1) / (len(x) + VOCAB)
	want = (a * VOCAB + b) * VOCAB + c
	at = torch.searchsorted(keys, want).clamp(max=len(keys) - 1)
	tri = torch.where(keys[at] == want, counts[at], torch.zeros_like(at)).double()
	best2, best3, p2 = 1e9, 1e9, None
	for prior in (0.1, 1.0, 10.0, 100.0):
		q = (bi[b * VOCAB + c] + prior * p1) / (uni[b] + prior)
		loss = -q.log().mean().item()
		if loss < best2:
			best2, p2 = loss, q
	for prior in (0.1, 1.0, 10.0, 100.0):
		q = (tri + prior * p2) / (bi[a * VOCAB + b] + prior)
		best3 = min(best3, -q.log().mean().item())
	return best2, best3


def sample(p, fn, tok, device, seed, n_tokens, temperature):
	"""Continues PROMPT by sampling; stops at the end mark. Returns the text."""
	gen = torch.Generator().manual_seed(seed)
	ids = tok.encode(PROMPT)
	with torch.no_grad():
		for _ in range(n_tokens):
			logits = fn(p, torch.tensor([ids], device=device))[0, -1].double().cpu()
			nxt = int(torch.multinomial(torch.softmax(logits / temperature, 0), 1, generator=gen))
			if nxt == bpe.END_ID:
				break
			ids.append(nxt)
	return tok.decode(ids)


def options():
	ap = argparse.ArgumentParser(description="train the demo models")
	ap.add_argument("--out",
		help="folder for the files (default: this script's; with --tiny a new temporary one)")
	ap.add_argument("--oracle", default="", help="folder with rwkv7-4h and rwkv-7v0-834K, to check the equations")
	ap.add_argument("--stories", type=int, default=400000)
	ap.add_argument("--steps", type=int, default=3000)
	ap.add_argument("--tiny", action="store_true",
		help="smoke run: %d stories, %d steps of a few rows, full model size" % (TINY_STORIES, TINY_STEPS))
	args = ap.parse_args()
	if args.tiny:
		args.stories, args.steps = TINY_STORIES, TINY_STEPS
		# Products this small gain nothing from more threads, and where a container may use only a few of the
		# processors it sees, more threads wait for each other.
		torch.set_num_threads(min(2, torch.get_num_threads()))
	if not args.out:
		# A smoke run must not replace the real models.
		here = os.path.dirname(os.path.abspath(__file__))
		args.out = tempfile.mkdtemp(prefix="leat-tiny-") if args.tiny else here
	return args


def plans(args, device):
	"""Name, start weights, network and settings of the two trainings."""
	tiny = args.tiny
	scan = wkv.wkv_scan if device == "cpu" else wkv.wkv_fast
	base = {"steps": args.steps, "warm": 100, "log": 200, "limit_s": 400}
	rw = lambda p, t: nets.rwkv7(p, t, LAYERS, scan)
	qw = lambda p, t: nets.qwen2(p, t, LAYERS, HEADS, KV_HEADS, THETA)
	return [
		("rwkv7", nets.rwkv7_init(DIM, FFN, LAYERS, VOCAB, RANKS), rw,
			lambda p, t: nets.rwkv7(p, t, LAYERS, wkv.wkv_scan),
			dict(base, lr=2e-3, batch=2 if tiny else 64, context=32 if tiny else 512)),
		("qwen2", nets.qwen2_init(DIM, FFN, LAYERS, VOCAB, HEADS, KV_HEADS), qw, qw,
			dict(base, lr=2e-3, batch=2 if tiny else 32, context=32 if tiny else 1024)),
	]


def main():
	args, start = options(), time.time()
	device = "cuda" if torch.cuda.is_available() else "cpu"
	os.makedirs(os.path.join(args.out, "golden"), exist_ok=True)
	n_valid = TINY_VALID if args.tiny else 2000
	with multiprocessing.Pool() as pool:
		counts = sum(pool.imap(count_range, spans(0, min(args.stories, 20000), 500)), Counter())
	tok = bpe.train(counts, VOCAB)
	note(start, "tokenizer: %d tokens from %d different words" % (len(tok.tokens), len(counts)))
	with multiprocessing.Pool(initializer=set_tokenizer, initargs=(tok.merges,)) as pool:
		data, starts, n_bytes = encode_all(pool, 0, args.stories, device)
		valid, _, v_bytes = encode_all(pool, corpus.VALID_FIRST, n_valid, device)
	bytes_per_token = v_bytes / len(valid)
	note(start, "corpus: %d stories, %d bytes, %d tokens; validation %d tokens, %.3f bytes per token" % (
		args.stories, n_bytes, len(data), len(valid), bytes_per_token))
	checks = check_equations(args.oracle, device)
	bi, tri = ngrams(data, valid)
	note(start, "bigram %.4f trigram %.4f nats per token" % (bi, tri))
	results = {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu", "stories": args.stories,
		"corpus_bytes": n_bytes, "corpus_tokens": len(data), "valid_stories": n_valid,
		"valid_tokens": len(valid), "bytes_per_token": bytes_per_token, "bigram": bi, "trigram": tri,
		"checks": checks, "models": {}}
	golden = export.tokenizer_vectors(tok)
	for name, init, fn, exact, cfg in plans(args, device):
		torch.manual_seed(3)
		p, seconds = train(name, init, fn, data, starts, cfg, start)
		raw = valid_loss(p, fn, valid, cfg["context"], 8)
		path = os.path.join(args.out, "demo-%s.gguf" % name)
		export.write_model(path, name, p, tok, LAYERS, HEADS, KV_HEADS, THETA, cfg["context"])
		q = export.read_model(path, device)
		q8 = valid_loss(q, fn, valid, cfg["context"], 8)
		n_tokens, n_rows, n_sample = (8, 4, 8) if args.tiny else (64, 24, 200)
		golden[name] = export.golden(args.out, name, q, exact, valid, n_tokens, n_rows)
		results["models"][name] = {"parameters": sum(v.numel() for v in p.values()),
			"file_bytes": os.path.getsize(path), "steps": cfg["steps"], "batch": cfg["batch"],
			"context": cfg["context"], "tokens_trained": cfg["steps"] * cfg["batch"] * cfg["context"],
			"train_seconds": seconds, "loss_f32": raw, "loss_q8_0": q8,
			"loss_q8_0_per_byte": q8 / bytes_per_token,
			"samples": [sample(q, fn, tok, device, seed, n_sample, 0.8) for seed in (1, 2, 3)]}
		note(start, "%s done: %.4f nats per token, %.4f with the Q8_0 weights" % (name, raw, q8))
	results["total_seconds"] = time.time() - start
	for name, what in (("results.json", results), ("golden/golden.json", golden)):
		with open(os.path.join(args.out, name), "w") as f:
			json.dump(what, f, indent=1)
			f.write("\n")
	report(results)
	print("files in " + args.out)


def report(r):
	for name, m in r["models"].items():
		for text in m["samples"]:
			print("\n[%s]\n%s" % (name, text))
	print("\n%-8s %10s %10s %9s %9s" % ("model", "params", "bytes", "nats/tok", "nats/byte"))
	for name in ("bigram", "trigram"):
		print("%-8s %10s %10s %9.4f %9.4f" % (name, "-", "-", r[name], r[name] / r["bytes_per_token"]))
	for name, m in r["models"].items():
		print("%-8s %10d %10d %9.4f %9.4f  trained %.0f s" % (name, m["parameters"], m["file_bytes"],
			m["loss_q8_0"], m["loss_q8_0_per_byte"], m["train_seconds"]))
	print("total %.0f s" % r["total_seconds"])


if __name__ == "__main__":
	main()
