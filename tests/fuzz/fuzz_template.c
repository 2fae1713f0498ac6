/* fuzz_template.c - which chat template arbitrary metadata gets, and conversations of arbitrary messages. */
#include <stdlib.h>
#include <string.h>

#include "support/small_vocab.h"
#include "text/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define REQUIRE(condition)              \
	do {                            \
		if (!(condition))       \
			__builtin_trap(); \
	} while (0)

static const char *const marks[] = {
	"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>",
	"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "[INST]", "[/INST]",
};
static struct small_vocab small;

/* Sets of marks: bits by their place in the list. */
static const unsigned sets[] = { 0, 7, 0x78, 0x380, 0xc00, 0xfff, 0x7f, 0x59 };

/* Bytes and the marks of a set; odd ones as user tokens if `user`. Made once each. */
static struct leat_vocab *make(unsigned set, int user)
{
	static struct leat_vocab *made[16];
	unsigned which = sets[set];
	struct leat_vocab *v = made[2 * set + (user != 0)];
	if (v)
		return v;
	small_init(&small, LEAT_VOCAB_BPE);
	small.spec.bos = small_token(&small, "<s>", 3, LEAT_TOKEN_CONTROL);
	small.spec.eos = small_token(&small, "</s>", 4, LEAT_TOKEN_CONTROL);
	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (which >> i & 1)
			small_token(&small, marks[i], strlen(marks[i]),
				    user && i % 2 ? LEAT_TOKEN_USER : LEAT_TOKEN_CONTROL);
	REQUIRE(leat_vocab_build(&small.spec, &v, NULL) == LEAT_OK);
	return made[2 * set + (user != 0)] = v;
}

static size_t count_spans(const struct leat_rendering *r)
{
	size_t at = 0, n = 0;
	for (size_t i = 0; i < r->n_spans; i++) {
		REQUIRE(r->span[i].first == at && r->span[i].n <= r->n_text - at);
		REQUIRE(r->span[i].id >= 0 || r->span[i].n > 0);
		REQUIRE(i == 0 || r->span[i].id >= 0 || r->span[i - 1].id >= 0);
		at += r->span[i].n;
		n += r->span[i].id >= 0;
	}
	REQUIRE(at == r->n_text);
	return n;
}

static int is_mark(const struct leat_vocab *v, int32_t id)
{
	return leat_vocab_token_kind(v, id) == LEAT_TOKEN_CONTROL || leat_vocab_token_kind(v, id) == LEAT_TOKEN_USER;
}

/* Messages of the bytes: a role, a length, content. The marks among the ids are those of the frames, never more. */
static void talk(const struct leat_chat *c, const struct leat_vocab *v, const uint8_t *data, size_t n, unsigned flags)
{
	static const char *const roles[] = {"user", "assistant", "system", "tool"};
	struct leat_message m[12];
	struct leat_rendering r;
	size_t n_m = 0, n_ids = 0, n_marks = 0, own = 0;
	int32_t *ids = NULL;
	for (size_t at = 0; at + 2 <= n && n_m < 12; n_m++) {
		size_t len = data[at + 1] < n - at - 2 ? data[at + 1] : n - at - 2;
		m[n_m] = (struct leat_message){roles[data[at] & 3], (const char *)data + at + 2, len};
		at += 2 + len;
	}
	if (leat_chat_render(c, v, m, n_m, flags, &r, NULL) != LEAT_OK)
		return;
	n_marks = count_spans(&r);
	REQUIRE(leat_rendering_tokenize(&r, c, v, &ids, &n_ids, NULL) == LEAT_OK);
	for (size_t i = 0; i < n_ids; i++)
		own += is_mark(v, ids[i]) != 0;
	/* a vocabulary's own user tokens may occur in a text; a template's marks may not */
	if (!c->template->marks || c->template->flags & LEAT_TEMPLATE_MARKS_OPTIONAL)
		REQUIRE(own >= n_marks);
	for (size_t i = 0, s = 0; c->template->marks && c->template->marks[i]; i++) {
		int id = leat_vocab_find(v, c->template->marks[i], strlen(c->template->marks[i]));
		size_t among = 0, written = 0;
		for (s = 0; s < n_ids; s++)
			among += ids[s] == id;
		for (s = 0; s < r.n_spans; s++)
			written += r.span[s].id == id;
		REQUIRE(id < 0 || among == written);
	}
	free(ids);
	leat_rendering_deinit(&r);
}

/* Data: set of marks, one byte unused, flags, architecture, length of the template's text (2), the text, messages. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const archs[] = {"qwen2", "phi3", "rwkv7", "llama", NULL};
	struct leat_chat c;
	struct leat_error err = {0};
	if (n < 6)
		return 0;
	struct leat_vocab *v = make(data[0] % 8, data[2] & 8);
	size_t len = data[4] | (size_t)data[5] << 8;
	len = len < n - 6 ? len : n - 6;
	char *text = malloc(len + 1); /* its own allocation, so that reading past it is seen */
	REQUIRE(text);
	memcpy(text, data + 6, len);
	struct leat_chat_hints h = {
		.text = data[2] & 16 ? NULL : text, .text_bytes = len, .odd = data[2] & 32, .arch = archs[data[3] % 5],
		.rwkv = data[3] % 5 == 2,
	};
	char *exact = len ? realloc(text, len) : text;
	REQUIRE(exact);
	text = exact;
	h.text = h.text ? text : NULL;
	if (data[2] & 64) {
		const struct leat_template *t = leat_template_list[data[3] % 7];
		if (leat_chat_named(v, t->name, &c, &err) != LEAT_OK) {
			REQUIRE(err.message[0]);
			goto done;
		}
	} else {
		REQUIRE(leat_chat_choose(v, &h, &c, &err) == LEAT_OK && c.template);
	}
	REQUIRE(c.system_bytes <= LEAT_MAX_DEFAULT_SYSTEM_BYTES);
	talk(&c, v, data + 6 + len, n - 6 - len, data[2] & 7);
	leat_chat_deinit(&c);
done:
	free(text);
	return 0;
}
