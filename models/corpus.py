#!/usr/bin/env python3
"""Story generator: a probabilistic grammar for short stories in simple English.

Every story is a pure function of one integer seed. A story first draws its cast (names, pronouns, kind of
home, things, places) and then walks one of the plot skeletons in plots.py; each step of a plot is a small
template with alternatives. The cast is drawn once per story, so a name, a pronoun or a thing stays the same
to the end: that is what a small model can learn to imitate, and what makes its text look right.

Template language: [a|b|c] picks one alternative (nesting allowed), {slot} inserts a drawn value, {@macro}
inserts a freshly expanded macro, "a~ " becomes "a " or "an " by the word that follows.

usage: corpus.py [--count N] [--first SEED]      prints stories, separated by <|endoftext|>
"""

import argparse
import random
import re

import plots
import words

END = "<|endoftext|>"
VALID_FIRST = 1 << 40   # seeds from here on are kept for validation

TOKEN = re.compile(r"[\[\]|]|\{[^}]*\}|[^\[\]|{}]+")
ARTICLE = re.compile(r"\b([Aa])~ (?=([A-Za-z]))")
START = re.compile(r"(^|\n|[.!?] )([a-z])")
CACHE = {}


def parse(text):
	"""Template text to a tree: ("seq", [..]), ("alt", [..]), ("slot", name), ("mac", name) or a plain string."""
	stack = [[[]]]
	for tok in TOKEN.findall(text):
		if tok == "[":
			stack.append([[]])
		elif tok == "|" and len(stack) > 1:
			stack[-1].append([])
		elif tok == "]":
			alts = stack.pop()
			stack[-1][-1].append(("alt", [("seq", a) for a in alts]))
		elif tok[0] == "{":
			name = tok[1:-1]
			stack[-1][-1].append(("mac", name[1:]) if name[0] == "@" else ("slot", name))
		else:
			stack[-1][-1].append(tok)
	if len(stack) != 1:
		raise ValueError("unbalanced brackets: " + text)
	return ("seq", stack[0][0])


def compiled(text):
	tree = CACHE.get(text)
	if tree is None:
		tree = CACHE[text] = parse(text)
	return tree


class Story:
	"""One story being written: the random source, the drawn slots and the paragraphs so far."""

	def __init__(self, seed):
		self.rnd = random.Random(seed)
		self.slots = {}
		self.pars = [[]]

	def pick(self, seq):
		return seq[int(self.rnd.random() * len(seq))]

	def chance(self, p):
		return self.rnd.random() < p

	def put(self, **kw):
		"""Draw slots: each value is expanded now, so later uses agree; a capitalised twin is set as well."""
		for k, v in kw.items():
			val = self.expand(v)
			self.slots[k] = val
			self.slots[k[0].upper() + k[1:]] = val[:1].upper() + val[1:]

	def expand(self, text):
		out = []
		self.walk(compiled(text), out)
		return "".join(out)

	def walk(self, node, out):
		if isinstance(node, str):
			out.append(node)
			return
		kind, arg = node
		if kind == "seq":
			for n in arg:
				self.walk(n, out)
		elif kind == "alt":
			self.walk(self.pick(arg), out)
		elif kind == "slot":
			out.append(self.slots[arg])
		else:
			self.walk(compiled(words.MACROS[arg]), out)

	def say(self, *variants):
		self.pars[-1].append(self.expand(self.pick(variants)))

	def maybe(self, p, *variants):
		if self.chance(p):
			self.say(*variants)

	def par(self):
		if self.pars[-1]:
			self.pars.append([])

	def text(self):
		"""The finished story; articles and sentence capitals are settled here."""
		t = "\n".join(" ".join(p) for p in self.pars if p)
		t = ARTICLE.sub(lambda m: m.group(1) + ("n " if m.group(2) in "aeiouAEIOU" else " "), t)
		return START.sub(lambda m: m.group(1) + m.group(2).upper(), t)


def story(seed):
	s = Story(seed)
	plots.cast(s)
	plots.tell(s)
	return s.text()


def main():
	ap = argparse.ArgumentParser(description="print generated stories")
	ap.add_argument("--count", type=int, default=5)
	ap.add_argument("--first", type=int, default=0)
	args = ap.parse_args()
	for i in range(args.first, args.first + args.count):
		print(story(i))
		print(END)


if __name__ == "__main__":
	main()
