"""Byte-level BPE: training, encoding and decoding, in plain Python.

Alphabet as GPT-2's (each byte is shown as one printable character), pre-tokens as Qwen2's (contractions,
letters with one leading mark, single digits, punctuation, white space). Ids: specials first, then the 256
bytes in the order of their printable characters, then one id per merge in the order learned.
"""

import re
from collections import Counter, defaultdict

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
END_ID = 0
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
	r"|\s*[\r\n]+|\s+(?!\S)|\s+")
# the same classes for the standard library's re: equal on ASCII and on usual letters
PATTERN_RE = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\w\r\n]|_)?[^\W\d_]+|\d| ?(?:[^\s\w]|_)+[\r\n]*"
	r"|\s*[\r\n]+|\s+(?!\S)|\s+")

try:
	import regex
	SPLIT = regex.compile(PATTERN)
except ImportError:
	SPLIT = re.compile(PATTERN_RE)


def byte_alphabet():
	"""Byte value to its printable character: itself where printable, otherwise 256 and up in order."""
	keep = set(range(33, 127)) | set(range(161, 173)) | set(range(174, 256))
	table, n = {}, 0
	for b in range(256):
		if b in keep:
			table[b] = chr(b)
		else:
			table[b] = chr(256 + n)
			n += 1
	return table


BYTE_CHAR = byte_alphabet()
CHAR_BYTE = {c: b for b, c in BYTE_CHAR.items()}


def count_words(text):
	return Counter(SPLIT.findall(text))


def train(counts, vocab_size):
	"""Learns merges from pre-token counts; ties go to the lexically smaller pair, so the result is stable."""
	base = sorted(CHAR_BYTE)
	words = [[BYTE_CHAR[b] for b in w.encode()] for w in sorted(counts)]
	freq = [counts[w] for w in sorted(counts)]
	pairs, where = Counter(), defaultdict(set)
	for i, w in enumerate(words):
		for p in zip(w, w[1:]):
			pairs[p] += freq[i]
			where[p].add(i)
	merges = []
	while len(SPECIALS) + len(base) + len(merges) < vocab_size and pairs:
		best = min(pairs, key=lambda p: (-pairs[p], p))
		if pairs[best] <= 0:
			break
		merges.append(best)
		for i in list(where[best]):
			old = words[i]
			for p in zip(old, old[1:]):
				pairs[p] -= freq[i]
			new = words[i] = merge_once(old, best)
			for p in zip(new, new[1:]):
				pairs[p] += freq[i]
				where[p].add(i)
		del pairs[best]
	return Tokenizer(merges)


def merge_once(word, pair):
	out, i = [], 0
	while i < len(word):
		if i + 1 < len(word) and word[i] == pair[0] and word[i + 1] == pair[1]:
			out.append(word[i] + word[i + 1])
			i += 2
		else:
			out.append(word[i])
			i += 1
	return out


class Tokenizer:
	def __init__(self, merges):
		self.merges = [tuple(m) for m in merges]
		self.tokens = SPECIALS + sorted(CHAR_BYTE) + [a + b for a, b in self.merges]
		self.types = [3] * len(SPECIALS) + [1] * (len(self.tokens) - len(SPECIALS))
		self.ids = {t: i for i, t in enumerate(self.tokens)}
		self.rank = {m: i for i, m in enumerate(self.merges)}
		self.cache = {}
		if len(self.ids) != len(self.tokens):
			raise ValueError("two tokens with the same text")

	def encode_word(self, word):
		got = self.cache.get(word)
		if got is not None:
			return got
		parts = [BYTE_CHAR[b] for b in word.encode()]
		while len(parts) > 1:
			rank, pair = min((self.rank.get(p, 1 << 30), p) for p in zip(parts, parts[1:]))
			if rank == 1 << 30:
				break
			parts = merge_once(parts, pair)
		got = self.cache[word] = [self.ids[p] for p in parts]
		return got

	def encode(self, text):
		"""Ids of plain text; special tokens written out in the text are not recognised."""
		out = []
		for w in SPLIT.findall(text):
			out.extend(self.encode_word(w))
		return out

	def token_bytes(self, i):
		if i < len(SPECIALS):
			return SPECIALS[i].encode()
		return bytes(CHAR_BYTE[c] for c in self.tokens[i])

	def decode(self, ids):
		return b"".join(self.token_bytes(i) for i in ids).decode("utf-8", "replace")
