"""Writes the trained weights as GGUF and the golden data that tests compare with."""

import os

import numpy as np
import torch

import bpe
import gguf

TEXTS = [
	"", " ", "Once upon a time, there was a little fox named Rusty.",
	"\"Thank you,\" said Mia. \"I will never forget this.\"", "Hello, world! 1234567890",
	"tabs\tand  double   spaces ", "line one\nline two\n\n  line three\r\nend", "don't I'll we've THEY'RE it's",
	"UPPER lower MiXeD CamelCase snake_case kebab-case", "caf\u00e9 na\u00efve \u00fcber stra\u00dfe",
	"\u65e5\u672c\u8a9e \u4e2d\u6587 \ud55c\uad6d\uc5b4", "emoji \U0001f98a\U0001f332 end",
	"x = a[i] + 3.14 * (b - c); // code", "...!!!???---", "<|endoftext|> written as text",
	"\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "a\u00a0b\u2003c",
	"The hedgehog's basket of berries was heavier than 27 stones.",
]


def kind_of(name, x):
	"""Tensor type in the file: products in Q8_0, low-rank matrices in F16, all small vectors in F32."""
	if x.dim() < 2 or "lerp" in name:
		return gguf.F32
	base = name.split(".")[-2]
	if base.startswith("time_mix_") and base[-1] in "12":
		return gguf.F16
	return gguf.Q8_0


def shape_of(name, x):
	if name.endswith("time_mix_lerp_fused.weight"):
		return [x.shape[-1], 1, 1, 6]
	if name.endswith("channel_mix_lerp_k.weight"):
		return [x.shape[-1], 1, 1]
	return list(reversed(x.shape))


def meta_of(arch, p, tok, layers, heads, kv_heads, theta, context):
	vocab, dim = p["token_embd.weight"].shape
	u32 = lambda key, v: (arch + "." + key, gguf.U32, int(v))
	meta = [("general.architecture", gguf.STR, arch), ("general.name", gguf.STR, "leat demo " + arch),
		("general.description", gguf.STR, "tiny story model of the leat tree; trained context %d" % context),
		("general.license", gguf.STR, "apache-2.0"), ("general.file_type", gguf.U32, 7),
		("general.quantization_version", gguf.U32, 2), u32("block_count", layers), u32("embedding_length", dim)]
	if arch == "rwkv7":
		rank = lambda n: p["blk.0.time_mix_%s1.weight" % n].shape[0]
		meta += [u32("context_length", 1048576), (arch + ".attention.layer_norm_epsilon", gguf.FLOAT, 1e-5),
			u32("wkv.head_size", 64), u32("attention.head_count", 0),
			u32("feed_forward_length", p["blk.0.channel_mix_key.weight"].shape[0]),
			u32("attention.decay_lora_rank", rank("w")), u32("attention.iclr_lora_rank", rank("a")),
			u32("attention.value_residual_mix_lora_rank", rank("v")),
			u32("attention.gate_lora_rank", rank("g"))]
	else:
		meta += [u32("context_length", context),
			u32("feed_forward_length", p["blk.0.ffn_gate.weight"].shape[0]),
			u32("attention.head_count", heads), u32("attention.head_count_kv", kv_heads),
			(arch + ".attention.layer_norm_rms_epsilon", gguf.FLOAT, 1e-6),
			(arch + ".rope.freq_base", gguf.FLOAT, theta),
			u32("rope.dimension_count", dim // heads), u32("attention.key_length", dim // heads),
			u32("attention.value_length", dim // heads)]
	meta += [u32("vocab_size", vocab), ("tokenizer.ggml.model", gguf.STR, "gpt2"),
		("tokenizer.ggml.pre", gguf.STR, "qwen2"), ("tokenizer.ggml.tokens", gguf.ARR, (gguf.STR, tok.tokens)),
		("tokenizer.ggml.token_type", gguf.ARR, (5, tok.types)),
		("tokenizer.ggml.merges", gguf.ARR, (gguf.STR, [a + " " + b for a, b in tok.merges])),
		("tokenizer.ggml.eos_token_id", gguf.U32, bpe.END_ID),
		("tokenizer.ggml.bos_token_id", gguf.U32, bpe.END_ID),
		("tokenizer.ggml.add_bos_token", gguf.BOOL, False)]
	return meta


def write_model(path, arch, p, tok, layers, heads, kv_heads, theta, context):
	tensors = [(n, x.float().cpu().numpy(), shape_of(n, x), kind_of(n, x)) for n, x in sorted(p.items(), key=order)]
	gguf.write(path, meta_of(arch, p, tok, layers, heads, kv_heads, theta, context), tensors)


def order(item):
	"""Outer tensors first, then block by block."""
	parts = item[0].split(".")
	return (int(parts[1]), item[0]) if parts[0] == "blk" else (-1, item[0])


def read_model(path, device):
	"""The weights as the file holds them, dequantised to float32."""
	return {k: torch.tensor(v, device=device) for k, v in gguf.Reader(path).tensors.items()}


def tokenizer_vectors(tok):
	out = []
	for text in TEXTS:
		ids = tok.encode(text)
		if tok.decode(ids) != text:
			raise SystemExit("the tokenizer does not round-trip: %r" % text)
		out.append({"text": text, "tokens": ids})
	return {"tokenizer": out}


def golden(out, name, p, fn, valid, n_tokens, n_rows):
	"""Float64 logits of the file's weights for the first tokens of the validation stories, and greedy ids."""
	tokens = valid[:n_tokens].long()[None]
	p = {k: v.double() for k, v in p.items()}
	with torch.no_grad():
		logits = fn(p, tokens)[0, -n_rows:]
		ids, margin = tokens, []
		for _ in range(min(32, n_tokens)):
			top = fn(p, ids)[0, -1].topk(2)
			margin.append(float(top.values[0] - top.values[1]))
			ids = torch.cat([ids, top.indices[None, :1]], dim=1)
	logits.cpu().numpy().astype("<f4").tofile(os.path.join(out, "golden", "golden-%s.f32" % name))
	return {"tokens": tokens[0].tolist(), "first_row": n_tokens - n_rows, "rows": n_rows, "vocab": logits.shape[-1],
		"logit_std": float(np.std(logits.cpu().numpy())), "greedy": ids[0, n_tokens:].tolist(),
		"greedy_margin": margin}
