"""The two demo networks as plain functions of a dictionary of tensors named as in GGUF files.

One function serves training, evaluation and the float64 reference, so what is tested is what is trained.
Matrices are [outputs, inputs].
"""

import math

import torch
import torch.nn.functional as F

HEAD = 64
GROUP_EPS = 64e-5


def shift(x):
	"""The row before each row; zero before the first."""
	return F.pad(x, (0, 0, 1, -1))


def norm(p, name, x):
	w = p[name + ".weight"]
	return F.layer_norm(x.to(w.dtype), w.shape, w, p[name + ".bias"], 1e-5)


def rwkv7_time_mix(p, pre, x, v_first, wkv):
	"""RWKV-7 time mixing on x [B, T, D] after its layer norm; returns the output and layer 0's values."""
	n_b, n_t, dim = x.shape
	heads = (n_b, n_t, dim // HEAD, HEAD)
	g = lambda name: p[pre + "time_mix_" + name + ".weight"]
	low = lambda z, name, act: F.linear(act(F.linear(z, g(name + "1"))), g(name + "2"))
	same = lambda z: z
	dx = shift(x) - x
	xr, xw, xk, xv, xa, xg = (x + dx * m for m in g("lerp_fused").reshape(6, dim))
	r = F.linear(xr, g("receptance"))
	k = F.linear(xk, g("key")).to(x.dtype)
	v = F.linear(xv, g("value")).to(x.dtype)
	w = torch.exp(-math.exp(-0.5) * torch.sigmoid(g("w0") + low(xw, "w", torch.tanh).to(x.dtype)))
	a = torch.sigmoid(g("a0") + low(xa, "a", same).to(x.dtype))
	if v_first is None:
		v_first = v
	else:
		v = v + (v_first - v) * torch.sigmoid(g("v0") + low(xv, "v", same).to(x.dtype))
	gate = low(xg, "g", torch.sigmoid)
	kk = F.normalize((k * g("k_k")).reshape(heads), dim=-1)
	k = k * (1 + (a - 1) * g("k_a"))
	r, w, k, vh, a = (z.to(x.dtype).reshape(heads) for z in (r, w, k, v, a))
	y = wkv(r, w, k, vh, -kk, kk * a).to(x.dtype)
	y = F.group_norm(y.reshape(-1, dim), dim // HEAD, p[pre + "time_mix_ln.weight"], p[pre + "time_mix_ln.bias"],
		GROUP_EPS).reshape(heads)
	y = y + (r * k * g("r_k").reshape(dim // HEAD, HEAD)).sum(-1, keepdim=True) * vh
	return F.linear(y.reshape(n_b, n_t, dim) * gate, g("output")), v_first


def rwkv7(p, tokens, n_layers, wkv):
	"""Logits [B, T, vocab] of the RWKV-7 network from a zero state."""
	x = norm(p, "token_embd_norm", F.embedding(tokens, p["token_embd.weight"]))
	v_first = None
	for layer in range(n_layers):
		pre = "blk.%d." % layer
		y, v_first = rwkv7_time_mix(p, pre, norm(p, pre + "attn_norm", x), v_first, wkv)
		x = x + y
		h = norm(p, pre + "attn_norm_2", x)
		h = h + (shift(h) - h) * p[pre + "channel_mix_lerp_k.weight"].reshape(-1)
		h = torch.relu(F.linear(h, p[pre + "channel_mix_key.weight"])) ** 2
		x = x + F.linear(h, p[pre + "channel_mix_value.weight"])
	return F.linear(norm(p, "output_norm", x), p["output.weight"])


def rwkv7_init(dim, ffn, n_layers, vocab, ranks):
	"""Starting weights of an RWKV-7 network. RANKS: dictionary of the low ranks of w, a, v and g."""
	p = {}
	ramp = torch.arange(dim) / dim
	uni = lambda rows, cols, scale: (torch.rand(rows, cols) * 2 - 1) * scale / math.sqrt(cols)
	ortho = lambda rows, cols: torch.nn.init.orthogonal_(torch.empty(rows, cols), gain=0.1)
	p["token_embd.weight"] = (torch.rand(vocab, dim) * 2 - 1) * 1e-2
	p["output.weight"] = torch.nn.init.orthogonal_(torch.empty(vocab, dim), gain=0.5 * math.sqrt(vocab / dim))
	norms = ["token_embd_norm", "output_norm"]
	for layer in range(n_layers):
		pre = "blk.%d." % layer
		up, down = layer / max(1, n_layers - 1), 1 - layer / n_layers
		t = pre + "time_mix_"
		p[t + "lerp_fused.weight"] = torch.stack(
			[1 - ramp ** (e * down) for e in (0.2, 0.9, 0.7, 0.7, 0.9, 0.2)])
		p[t + "w0.weight"] = -6.5 + 5 * (torch.arange(dim) / (dim - 1)) ** (0.85 + up ** 0.5)
		p[t + "a0.weight"], p[t + "v0.weight"] = torch.zeros(dim), torch.ones(dim)
		for name in "wavg":
			if name == "v" and layer == 0:
				continue
			first = torch.zeros(ranks[name], dim) if name != "g" else uni(ranks[name], dim, 0.5)
			p[t + name + "1.weight"] = first
			p[t + name + "2.weight"] = ortho(dim, ranks[name])
		if layer == 0:   # unused by the equations, present in files
			p[t + "v1.weight"] = torch.zeros(ranks["v"], dim)
			p[t + "v2.weight"] = torch.zeros(dim, ranks["v"])
		p[t + "k_k.weight"], p[t + "k_a.weight"] = torch.full((dim,), 0.85), torch.ones(dim)
		p[t + "r_k.weight"] = torch.zeros(dim)
		p[t + "receptance.weight"], p[t + "value.weight"] = uni(dim, dim, 0.5), uni(dim, dim, 0.5)
		p[t + "key.weight"], p[t + "output.weight"] = uni(dim, dim, 0.05), torch.zeros(dim, dim)
		p[t + "ln.weight"] = torch.full((dim,), ((1 + layer) / n_layers) ** 0.7)
		p[t + "ln.bias"] = torch.zeros(dim)
		p[pre + "channel_mix_lerp_k.weight"] = 1 - ramp ** (down ** 4)
		p[pre + "channel_mix_key.weight"] = uni(ffn, dim, 0.5)
		p[pre + "channel_mix_value.weight"] = torch.zeros(dim, ffn)
		norms += [pre + "attn_norm", pre + "attn_norm_2"]
	for name in norms:
		p[name + ".weight"], p[name + ".bias"] = torch.ones(dim), torch.zeros(dim)
	return p


def rms(p, name, x):
	w = p[name + ".weight"]
	x = x.to(w.dtype)
	return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * w


def rope(x, theta):
	"""Rotates halves (element i with i + n/2), as Qwen2 does; x is [B, heads, T, n]."""
	n_t, n = x.shape[-2:]
	freq = theta ** (-torch.arange(0, n, 2, dtype=torch.float64) / n)
	ang = (torch.arange(n_t, dtype=torch.float64)[:, None] * freq).to(x.device)
	cos, sin = ang.cos().to(x.dtype), ang.sin().to(x.dtype)
	lo, hi = x[..., :n // 2], x[..., n // 2:]
	return torch.cat([lo * cos - hi * sin, hi * cos + lo * sin], dim=-1)


def attend(q, k, v):
	"""Causal attention; [B, heads, T, n] each."""
	if q.is_cuda and q.dtype != torch.float64:
		return F.scaled_dot_product_attention(q, k, v, is_causal=True)
	n_t = q.shape[-2]
	s = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
	s = s.masked_fill(torch.ones(n_t, n_t, dtype=torch.bool, device=q.device).triu(1), float("-inf"))
	return torch.softmax(s, dim=-1) @ v


def qwen2(p, tokens, n_layers, n_heads, n_kv, theta):
	"""Logits [B, T, vocab] of the Qwen2-shaped network; the output matrix is the embedding."""
	x = F.embedding(tokens, p["token_embd.weight"])
	n_b, n_t, dim = x.shape
	for layer in range(n_layers):
		pre = "blk.%d." % layer
		lin = lambda z, name: F.linear(z, p[pre + name + ".weight"], p.get(pre + name + ".bias"))
		split = lambda z, n: z.reshape(n_b, n_t, n, -1).transpose(1, 2)
		h = rms(p, pre + "attn_norm", x)
		q, k, v = split(lin(h, "attn_q"), n_heads), split(lin(h, "attn_k"), n_kv), split(lin(h, "attn_v"), n_kv)
		q, k = rope(q, theta), rope(k, theta)
		k, v = (z.repeat_interleave(n_heads // n_kv, dim=1) for z in (k, v))
		y = attend(q, k, v.to(q.dtype)).transpose(1, 2).reshape(n_b, n_t, -1)
		x = x + lin(y, "attn_output")
		h = rms(p, pre + "ffn_norm", x)
		x = x + lin(F.silu(lin(h, "ffn_gate")) * lin(h, "ffn_up"), "ffn_down")
	return F.linear(rms(p, "output_norm", x), p["token_embd.weight"])


def qwen2_init(dim, ffn, n_layers, vocab, n_heads, n_kv):
	p = {"token_embd.weight": torch.randn(vocab, dim) * 0.04, "output_norm.weight": torch.ones(dim)}
	head = dim // n_heads
	for layer in range(n_layers):
		pre = "blk.%d." % layer
		deep = 1 / math.sqrt(2 * n_layers)
		for name, rows, cols, scale in (("attn_q", dim, dim, 1), ("attn_k", n_kv * head, dim, 1),
			("attn_v", n_kv * head, dim, 1), ("attn_output", dim, dim, deep), ("ffn_gate", ffn, dim, 1),
			("ffn_up", ffn, dim, 1), ("ffn_down", dim, ffn, deep)):
			p[pre + name + ".weight"] = torch.randn(rows, cols) * scale / math.sqrt(cols)
			if name in ("attn_q", "attn_k", "attn_v"):
				p[pre + name + ".bias"] = torch.zeros(rows)
		p[pre + "attn_norm.weight"], p[pre + "ffn_norm.weight"] = torch.ones(dim), torch.ones(dim)
	return p
