"""What a program in another language sees of libleat.so, by ctypes and the header's words alone: smoke.py LIB MODEL.

Structures begin with their size, so each is declared here only as far as it is used: the library takes what it is
given. That is how an older program meets a newer library."""
import ctypes as c
import sys

FINISH_EOS, FINISH_LENGTH, FINISH_CANCELLED = 1, 3, 4
E_NOTFOUND, E_ARG, E_MISMATCH, E_FORMAT = -9, -5, -10, -3
TEXT_SPECIAL, RANDOM_SEED, VOCAB_ONLY = 1, 1, 1


class Error(c.Structure):
	_fields_ = [("struct_size", c.c_uint32), ("status", c.c_int32), ("code", c.c_char * 48),
		("where", c.c_char * 64), ("offset", c.c_uint64), ("message", c.c_char * 400)]


class ModelParams(c.Structure):
	_fields_ = [("struct_size", c.c_uint32), ("flags", c.c_uint32)]


class ModelInfo(c.Structure):
	_fields_ = [("struct_size", c.c_uint32), ("recurrent", c.c_uint32), ("arch", c.c_char * 32),
		("name", c.c_char * 96), ("type", c.c_char * 16), ("n_params", c.c_uint64), ("file_bytes", c.c_uint64),
		("read_bytes_per_token", c.c_uint64), ("kv_bytes_per_token", c.c_uint64), ("state_bytes", c.c_uint64),
		("n_layer", c.c_int32), ("n_embd", c.c_int32), ("n_ff", c.c_int32), ("n_head", c.c_int32),
		("n_kv_head", c.c_int32), ("head_size", c.c_int32), ("n_vocab", c.c_int32), ("n_rows", c.c_int32)]


class EngineParams(c.Structure):
	_fields_ = [("struct_size", c.c_uint32), ("n_threads", c.c_int32), ("n_ctx", c.c_int32), ("n_seqs", c.c_int32),
		("n_batch", c.c_int32), ("mode", c.c_int32)]


class RequestParams(c.Structure):
	_fields_ = [("struct_size", c.c_uint32), ("flags", c.c_uint32), ("tokens", c.POINTER(c.c_int32)),
		("n_tokens", c.c_uint64), ("max_tokens", c.c_int64), ("seed", c.c_uint64), ("temperature", c.c_float),
		("top_p", c.c_float), ("min_p", c.c_float), ("typical_p", c.c_float), ("top_k", c.c_int32),
		("repeat_penalty", c.c_float), ("presence_penalty", c.c_float), ("frequency_penalty", c.c_float),
		("penalty_decay", c.c_float), ("repeat_last_n", c.c_int32), ("choice", c.c_uint32),
		("samplers", c.c_char_p), ("logit_bias", c.c_void_p), ("n_logit_bias", c.c_int32),
		("n_stop", c.c_int32), ("stop", c.POINTER(c.c_char_p)), ("stop_ids", c.POINTER(c.c_int32)),
		("n_stop_ids", c.c_int32), ("n_top", c.c_int32), ("session", c.c_void_p)]


class TokenProb(c.Structure):
	_fields_ = [("id", c.c_int32), ("logprob", c.c_float)]


class Token(c.Structure):
	_fields_ = [("struct_size", c.c_uint32), ("id", c.c_int32), ("text", c.POINTER(c.c_char)),
		("text_bytes", c.c_uint64), ("index", c.c_uint64), ("logit", c.c_float), ("prob", c.c_float),
		("logprob", c.c_float), ("is_eos", c.c_int32), ("finish", c.c_int32), ("top", c.POINTER(TokenProb)),
		("n_top", c.c_int32)]


class Stats(c.Structure):
	_fields_ = [("struct_size", c.c_uint32), ("finish", c.c_int32), ("seed", c.c_uint64), ("n_prompt", c.c_uint64),
		("n_generated", c.c_uint64)]


class Result(c.Structure):
	_fields_ = [("ids", c.POINTER(c.c_int32)), ("n_ids", c.c_uint64), ("text", c.c_char_p),
		("text_bytes", c.c_uint64), ("seed", c.c_uint64), ("n_cached", c.c_uint64), ("finish", c.c_int32),
		("status", c.c_int32)]


class StateInfo(c.Structure):
	_fields_ = [("struct_size", c.c_uint32), ("mode", c.c_int32), ("n_tokens", c.c_uint64), ("n_fed", c.c_uint64),
		("bytes", c.c_uint64)]


TOKEN_FN = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Token))
ROW_FN = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_size_t, c.POINTER(c.c_float), c.c_int32)


def sized(kind):
	return kind(struct_size=c.sizeof(kind))


class Leat:
	"""The calls that this program makes; a status other than 0 raises."""

	def __init__(self, path):
		self.lib = c.CDLL(path)
		self.lib.leat_version.restype = self.lib.leat_status_text.restype = c.c_char_p
		self.lib.leat_model_ref.restype = c.c_void_p
		for name in ("leat_free", "leat_model_unref", "leat_engine_unref", "leat_request_unref",
				"leat_session_unref", "leat_state_unref", "leat_results_free",
				"leat_request_cancel", "leat_state_get_info"):
			getattr(self.lib, name).restype = None

	def call(self, name, *args):
		error = sized(Error)
		status = getattr(self.lib, name)(*args, c.byref(error))
		if status:
			assert status == error.status and error.message, (status, error.message)
			raise OSError(status, error.message.decode(), error.where.decode())

	def refused(self, status, name, *args):
		try:
			self.call(name, *args)
		except OSError as error:
			assert error.errno == status, error
			return error.strerror
		raise AssertionError(f"{name} was not refused")

	def tokenize(self, model, text, flags=0):
		ids, n = c.POINTER(c.c_int32)(), c.c_size_t()
		self.call("leat_model_tokenize", model, text, c.c_size_t(len(text)), c.c_uint(flags),
			c.byref(ids), c.byref(n))
		got = ids[:n.value]
		self.lib.leat_free(ids)
		return got

	def detokenize(self, model, ids):
		text, n = c.POINTER(c.c_char)(), c.c_size_t()
		self.call("leat_model_detokenize", model, (c.c_int32 * len(ids))(*ids), c.c_size_t(len(ids)),
			c.c_uint(0), c.byref(text), c.byref(n))
		got = text[:n.value]
		self.lib.leat_free(text)
		return got

	def params(self, model, ids, n, session=None):
		p = RequestParams()
		self.lib.leat_request_params_fill(model, c.byref(p), c.c_uint32(c.sizeof(p)))
		assert p.flags == RANDOM_SEED and p.max_tokens == -1 and 0 < p.top_p <= 1
		p.tokens, p.n_tokens, p.max_tokens = (c.c_int32 * len(ids))(*ids), len(ids), n
		p.temperature, p.n_top, p.session = 0, 2, session
		return p

	def submit(self, engine, p):
		request = c.c_void_p()
		self.call("leat_request_submit", engine, c.byref(p), c.byref(request))
		return request

	def answer(self, engine, p):
		"""Ids and text, one call a token."""
		request, t, ids, text = self.submit(engine, p), sized(Token), [], b""
		while not t.finish:
			self.call("leat_request_next", request, c.byref(t))
			text += t.text[:t.text_bytes]
			if t.id >= 0:
				ids.append(t.id)
				assert 0 < t.prob <= 1 and t.n_top == 2 and t.top[0].logprob >= t.top[1].logprob
				assert t.top[0].id == t.id
		stats = sized(Stats)
		self.lib.leat_request_get_stats(request, c.byref(stats))
		assert stats.n_generated == len(ids) and stats.finish == t.finish
		self.lib.leat_request_unref(request)
		return ids, text


def try_text(leat, model, info):
	for text in (b"", b"Once upon a time", "naïve 你好 🙂\n\ttab".encode()):
		assert leat.detokenize(model, leat.tokenize(model, text)) == text
	assert "wanted 0 to" in leat.refused(E_ARG, "leat_model_detokenize", model, (c.c_int32 * 1)(info.n_vocab),
		c.c_size_t(1), c.c_uint(0), c.byref(c.c_void_p()), c.byref(c.c_size_t()))


def try_answers(leat, model, engine, prompt):
	"""Token by token, by callback, in a batch: the same answer."""
	p = leat.params(model, prompt, 12)
	ids, text = leat.answer(engine, p)
	assert len(ids) == 12 and text and ids == leat.answer(engine, p)[0]
	got = []

	def on_token(_user, t):
		got.append(t.contents.id)
		return len(got) == 5
	request = leat.submit(engine, p)
	leat.call("leat_request_stream", request, TOKEN_FN(on_token), None)
	leat.lib.leat_request_unref(request)
	assert got == ids[:5], (got, ids)
	result = c.POINTER(Result)()
	many = (RequestParams * 3)(p, leat.params(model, prompt[:2], 4), p)
	leat.call("leat_engine_generate_batch", engine, many, c.c_size_t(3), c.byref(result))
	assert [result[i].n_ids for i in range(3)] == [12, 4, 12] and result[2].text == text
	assert result[0].ids[:12] == ids and result[0].finish == FINISH_LENGTH
	leat.lib.leat_results_free(result, c.c_size_t(3))
	return ids


def try_rows(leat, info, engine, prompt, ids):
	"""Logits of every token (run_full): the likeliest after the prompt is what was generated."""
	best = []

	def on_row(_user, index, row, n):
		assert index == len(best) and n == info.n_rows
		best.append(max(range(info.n_vocab), key=row.__getitem__))
		return 0
	whole = prompt + ids
	leat.call("leat_engine_logits", engine, (c.c_int32 * len(whole))(*whole), c.c_size_t(len(whole)), c.c_int32(0),
		ROW_FN(on_row), None)
	assert best[len(prompt) - 1:-1] == ids, (best, ids)


def try_state(leat, model, engine, prompt, ids):
	"""A state as bytes goes on where it was taken."""
	session, state, again = c.c_void_p(), c.c_void_p(), c.c_void_p()
	leat.call("leat_session_create", engine, c.byref(session))
	leat.answer(engine, leat.params(model, prompt[:-1], 0, session))
	leat.call("leat_state_capture", session, c.byref(state))
	data, n = c.POINTER(c.c_uint8)(), c.c_size_t()
	leat.call("leat_state_to_bytes", state, c.byref(data), c.byref(n))
	kept = bytes(data[:n.value])
	leat.lib.leat_free(data)
	leat.lib.leat_state_unref(state)
	leat.call("leat_session_reset", session)
	leat.call("leat_state_from_bytes", model, kept, c.c_size_t(len(kept)), c.byref(again))
	info = sized(StateInfo)
	leat.lib.leat_state_get_info(again, c.byref(info))
	assert info.n_tokens == len(prompt) - 1
	leat.call("leat_state_apply", again, session)
	assert leat.answer(engine, leat.params(model, prompt[-1:], 12, session))[0] == ids
	leat.lib.leat_state_unref(again)
	leat.lib.leat_session_unref(session)
	broken = bytearray(kept)
	broken[len(broken) // 2] ^= 1
	leat.refused(E_FORMAT, "leat_state_from_bytes", model, bytes(broken), c.c_size_t(len(broken)), c.byref(again))


class Segment(c.Structure):
	_fields_ = [("kind", c.c_int32), ("text_flags", c.c_uint32), ("data", c.c_void_p), ("n", c.c_uint64),
		("width", c.c_int32), ("reserved", c.c_int32)]


def try_embed(leat, info, engine):
	"""A vector for each document, of length 1, and the same for the same text."""
	texts = [b"Once upon a time", b"The dog", b"Once upon a time"]
	documents = (Segment * 3)()
	for d, text in zip(documents, texts):
		d.kind, d.n, d.data = 1, len(text), c.cast(c.c_char_p(text), c.c_void_p)
	vectors = (c.c_float * (3 * info.n_embd))()
	params = (c.c_uint32 * 4)(16, 0, 1, 0) # struct_size, the mean, of length 1
	leat.call("leat_engine_embed", engine, params, documents, c.c_size_t(3), vectors)
	one, two, three = (list(vectors[i * info.n_embd:(i + 1) * info.n_embd]) for i in range(3))
	assert one == three and one != two and abs(sum(x * x for x in one) - 1) < 1e-3


def main(library, path):
	leat = Leat(library)
	model, engine, info = c.c_void_p(), c.c_void_p(), sized(ModelInfo)
	assert leat.lib.leat_version().count(b".") == 2 and leat.lib.leat_abi_version() == 0
	assert leat.lib.leat_status_text(E_MISMATCH) and leat.lib.leat_status_text(-1000)
	assert "nowhere" in leat.refused(E_NOTFOUND, "leat_model_open", b"/nowhere/at/all", None, c.byref(model))
	only = sized(ModelParams)
	only.flags = VOCAB_ONLY
	leat.call("leat_model_open", path.encode(), c.byref(only), c.byref(model))
	leat.refused(E_ARG, "leat_engine_create", model, None, c.byref(engine))
	leat.lib.leat_model_unref(model)
	leat.call("leat_model_open", path.encode(), None, c.byref(model))
	leat.lib.leat_model_get_info(model, c.byref(info))
	assert info.n_params > 1000 and info.n_vocab <= info.n_rows and info.arch
	params = sized(EngineParams)
	params.n_ctx, params.n_seqs, params.mode = 256, 2, 1
	leat.call("leat_engine_create", model, c.byref(params), c.byref(engine))
	try_text(leat, model, info)
	prompt = leat.tokenize(model, b"Once upon a time", TEXT_SPECIAL)
	ids = try_answers(leat, model, engine, prompt)
	try_rows(leat, info, engine, prompt, ids)
	try_state(leat, model, engine, prompt, ids)
	try_embed(leat, info, engine)
	leat.lib.leat_engine_unref(engine)
	leat.lib.leat_model_unref(model)
	print(f"{info.arch.decode()}: as the header says")


if __name__ == "__main__":
	main(*sys.argv[1:])
