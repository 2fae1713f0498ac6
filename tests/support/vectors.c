#include "support/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/oracle.h"

/* Encodes, compares with the line of ids, decodes again. */
void vectors_check_text(const struct leat_vocab *v, const char *text, size_t n, const char *ids)
{
	struct leat_error err = {0};
	int32_t *got = NULL;
	size_t n_got = 0, at = 0, i = 0, len;
	assert_int_equal(leat_tokenize(v, text, n, 0, &got, &n_got, &err), LEAT_OK);
	for (char *end;; ids = end, i++) {
		long want = strtol(ids, &end, 10);
		if (end == ids)
			break;
		if (i >= n_got || got[i] != want)
			fail_msg("'%.60s': token %zu: found %d, wanted %ld", text, i, i < n_got ? got[i] : -1, want);
		while (*end == ',' || *end == '\n')
			end++;
	}
	assert_int_equal(i, n_got);
	/* The space that SentencePiece puts before a text is no part of it. */
	size_t drop = n && leat_vocab_space_prefix(v);
	for (i = 0; i < n_got; i++, drop = 0) {
		const unsigned char *s = leat_vocab_bytes(v, got[i], 0, &len);
		s += drop;
		len -= drop;
		assert_true(at + len <= n && memcmp(text + at, s, len) == 0);
		at += len;
	}
	assert_int_equal(at, n);
	free(got);
}

void vectors_check(const struct leat_vocab *v, const char *name)
{
	static const char cut[] = "\n__ggml_vocab_test__\n";
	char path[128];
	size_t n_inp, n_out, n_texts = 0;
	snprintf(path, sizeof(path), "%s.inp", name);
	char *inp = (char *)read_file(oracle_path(path), &n_inp);
	snprintf(path, sizeof(path), "%s.out", name);
	char *out = (char *)read_file(oracle_path(path), &n_out);
	assert_true(inp && out);
	char *line = out, *end = inp + n_inp;
	for (char *text = inp, *next; text <= end; text = next, n_texts++) {
		char *stop = memmem(text, (size_t)(end - text), cut, sizeof(cut) - 1);
		char *eol = strchr(line, '\n');
		assert_true(eol || !stop);
		if (eol)
			*eol = 0;
		vectors_check_text(v, text, (size_t)((stop ? stop : end) - text), line);
		next = stop ? stop + sizeof(cut) - 1 : end + 1;
		line = eol ? eol + 1 : line + strlen(line);
	}
	print_message("%s: %zu texts\n", name, n_texts);
	assert_true(n_texts > 40);
	free(inp);
	free(out);
}
