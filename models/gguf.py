"""Minimal GGUF v3 reader and writer with F32, F16 and Q8_0 tensors (numpy)."""

import struct

import numpy as np

F32, F16, Q8_0 = 0, 1, 8
ALIGN = 32
SCALAR = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U32, FLOAT, BOOL, STR, ARR = 4, 6, 7, 8, 9
BLOCK = np.dtype([("d", "<f2"), ("q", "i1", 32)])


def quantise_q8_0(x):
	"""Rows of float32, length a multiple of 32, to Q8_0 blocks: scale amax/127 in f16, round to nearest."""
	b = np.ascontiguousarray(x, np.float32).reshape(-1, 32)
	amax = np.abs(b).max(axis=1)
	d = amax / np.float32(127)
	inv = np.divide(np.float32(1), d, out=np.zeros_like(d), where=d > 0)
	out = np.empty(len(b), BLOCK)
	out["d"] = d.astype(np.float16)
	out["q"] = np.clip(np.rint(b * inv[:, None]), -127, 127).astype(np.int8)
	return out


def dequantise_q8_0(blocks, shape):
	return (blocks["d"].astype(np.float32)[:, None] * blocks["q"].astype(np.float32)).reshape(shape)


def encode_tensor(x, kind):
	if kind == Q8_0:
		if x.shape[-1] % 32:
			raise ValueError("row length %d is no multiple of 32" % x.shape[-1])
		return quantise_q8_0(x).tobytes()
	return np.ascontiguousarray(x, np.float16 if kind == F16 else np.float32).tobytes()


def put_string(s):
	b = s.encode()
	return struct.pack("<Q", len(b)) + b


def put_value(kind, v):
	if kind == STR:
		return put_string(v)
	if kind == ARR:
		sub, items = v
		return struct.pack("<IQ", sub, len(items)) + b"".join(put_value(sub, x) for x in items)
	return struct.pack("<" + SCALAR[kind], v)


def write(path, meta, tensors):
	"""META: list of (key, kind, value). TENSORS: list of (name, float array, shape fastest first, kind)."""
	head = struct.pack("<IIQQ", 0x46554747, 3, len(tensors), len(meta))
	for key, kind, v in meta:
		head += put_string(key) + struct.pack("<I", kind) + put_value(kind, v)
	offset, blobs = 0, []
	for name, x, ne, kind in tensors:
		if int(np.prod(ne)) != x.size:
			raise ValueError("%s: %d values for shape %s" % (name, x.size, ne))
		blob = encode_tensor(x, kind)
		head += put_string(name) + struct.pack("<I%dQIQ" % len(ne), len(ne), *ne, kind, offset)
		blob += b"\0" * (-len(blob) % ALIGN)
		blobs.append(blob)
		offset += len(blob)
	with open(path, "wb") as f:
		f.write(head + b"\0" * (-len(head) % ALIGN))
		for blob in blobs:
			f.write(blob)


class Reader:
	"""Reads metadata and tensors (dequantised to float32, shape slowest first) of one file."""

	def __init__(self, path):
		with open(path, "rb") as f:
			self.data = f.read()
		self.pos = 0
		magic, version, n_tensors, n_meta = (self.get("I"), self.get("I"), self.get("Q"), self.get("Q"))
		if magic != 0x46554747 or version != 3:
			raise ValueError("not a GGUF v3 file: " + path)
		self.meta = {}
		for _ in range(n_meta):
			key = self.string()
			self.meta[key] = self.value(self.get("I"))
		info = []
		for _ in range(n_tensors):
			name = self.string()
			ne = [self.get("Q") for _ in range(self.get("I"))]
			info.append((name, ne, self.get("I"), self.get("Q")))
		start = -(-self.pos // ALIGN) * ALIGN
		self.kinds = {name: kind for name, _, kind, _ in info}
		self.ne = {name: ne for name, ne, _, _ in info}
		self.tensors = {name: self.tensor(ne, kind, start + off) for name, ne, kind, off in info}

	def get(self, fmt):
		v, = struct.unpack_from("<" + fmt, self.data, self.pos)
		self.pos += struct.calcsize("<" + fmt)
		return v

	def string(self):
		n = self.get("Q")
		self.pos += n
		return self.data[self.pos - n:self.pos].decode("utf-8", "replace")

	def value(self, kind):
		if kind == STR:
			return self.string()
		if kind == ARR:
			sub, n = self.get("I"), self.get("Q")
			return [self.value(sub) for _ in range(n)]
		return self.get(SCALAR[kind])

	def tensor(self, ne, kind, at):
		n = int(np.prod(ne))
		shape = list(reversed(ne))
		if kind == Q8_0:
			return dequantise_q8_0(np.frombuffer(self.data, BLOCK, n // 32, at), shape)
		if kind not in (F32, F16):
			raise ValueError("tensor type %d is not read here" % kind)
		x = np.frombuffer(self.data, np.float16 if kind == F16 else np.float32, n, at)
		return x.astype(np.float32).reshape(shape)
