"""The RWKV-7 state recurrence, twice: plain PyTorch (the reference) and Triton (for training).

Per head, with state S [value i][key j] (RWKV-7 "Goose", arXiv:2503.14456, section 4):
  S_t[i][j] = S_{t-1}[i][j] w_t[j] + (sum_m S_{t-1}[i][m] a_t[m]) b_t[j] + v_t[i] k_t[j]
  y_t[i]    = sum_j S_t[i][j] r_t[j]
where a = -kappa_hat and b = kappa_hat * in-context learning rate. All tensors are [B, T, H, N].
"""

import torch

try:
	import triton
	import triton.language as tl
except ImportError:
	triton = None


def wkv_scan(r, w, k, v, a, b):
	"""Reference: one step after another, from a zero state."""
	n_b, n_t, n_h, n = r.shape
	s = torch.zeros(n_b, n_h, n, n, dtype=r.dtype, device=r.device)
	ys = []
	for t in range(n_t):
		sa = s @ a[:, t, :, :, None]
		s = s * w[:, t, :, None, :] + sa * b[:, t, :, None, :] + v[:, t, :, :, None] * k[:, t, :, None, :]
		ys.append((s @ r[:, t, :, :, None])[..., 0])
	return torch.stack(ys, dim=1)


if triton is not None:
	@triton.jit
	def forward_kernel(R, W, K, V, A, B, Y, S, T, H, N: tl.constexpr, SAVE: tl.constexpr):
		pid = tl.program_id(0).to(tl.int64)
		i = tl.arange(0, N)
		ij = i[:, None] * N + i[None, :]
		at = ((pid // H) * T * H + pid % H) * N + i
		sp = S + pid * T * N * N + ij
		s = tl.zeros([N, N], dtype=tl.float32)
		for _ in range(T):
			r = tl.load(R + at)
			w = tl.load(W + at)
			k = tl.load(K + at)
			v = tl.load(V + at)
			a = tl.load(A + at)
			b = tl.load(B + at)
			if SAVE:
				tl.store(sp, s)
			sa = tl.sum(s * a[None, :], 1)
			s = s * w[None, :] + sa[:, None] * b[None, :] + v[:, None] * k[None, :]
			tl.store(Y + at, tl.sum(s * r[None, :], 1))
			at += H * N
			sp += N * N

	@triton.jit
	def backward_kernel(R, W, K, V, A, B, S, DY, DR, DW, DK, DV, DA, DB, T, H, N: tl.constexpr):
		"""Walks back through the saved states S_{t-1}; ds is the gradient of S_t."""
		pid = tl.program_id(0).to(tl.int64)
		i = tl.arange(0, N)
		ij = i[:, None] * N + i[None, :]
		at = ((pid // H) * T * H + pid % H) * N + i + (T - 1) * H * N
		sp = S + (pid * T + T - 1) * N * N + ij
		ds = tl.zeros([N, N], dtype=tl.float32)
		for _ in range(T):
			r = tl.load(R + at)
			w = tl.load(W + at)
			k = tl.load(K + at)
			v = tl.load(V + at)
			a = tl.load(A + at)
			b = tl.load(B + at)
			dy = tl.load(DY + at)
			s0 = tl.load(sp)
			sa = tl.sum(s0 * a[None, :], 1)
			s1 = s0 * w[None, :] + sa[:, None] * b[None, :] + v[:, None] * k[None, :]
			ds += dy[:, None] * r[None, :]
			dsa = tl.sum(ds * b[None, :], 1)
			tl.store(DR + at, tl.sum(s1 * dy[:, None], 0))
			tl.store(DW + at, tl.sum(ds * s0, 0))
			tl.store(DK + at, tl.sum(ds * v[:, None], 0))
			tl.store(DV + at, tl.sum(ds * k[None, :], 1))
			tl.store(DA + at, tl.sum(s0 * dsa[:, None], 0))
			tl.store(DB + at, tl.sum(ds * sa[:, None], 0))
			ds = ds * w[None, :] + dsa[:, None] * a[None, :]
			at -= H * N
			sp -= N * N


class WkvTriton(torch.autograd.Function):
	"""The recurrence on the GPU in float32; keeps every state, so the backward pass needs no inversion."""

	@staticmethod
	def forward(ctx, *args):
		args = [x.float().contiguous() for x in args]
		n_b, n_t, n_h, n = args[0].shape
		save = any(ctx.needs_input_grad)
		y = torch.empty_like(args[0])
		s = torch.empty((n_b * n_h, n_t, n, n) if save else (1,), dtype=torch.float32, device=y.device)
		forward_kernel[(n_b * n_h,)](*args, y, s, n_t, n_h, N=n, SAVE=save, num_warps=4)
		if save:
			ctx.save_for_backward(*args, s)
		return y

	@staticmethod
	def backward(ctx, dy):
		*args, s = ctx.saved_tensors
		n_b, n_t, n_h, n = args[0].shape
		grads = [torch.empty_like(x) for x in args]
		backward_kernel[(n_b * n_h,)](*args, s, dy.float().contiguous(), *grads, n_t, n_h, N=n, num_warps=4)
		return tuple(grads)


def wkv_fast(*args):
	return WkvTriton.apply(*args)
