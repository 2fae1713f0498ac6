#include <string.h>

#include "text/tokenizer.h"
#include "text/unicode.h"

void leat_detok_init(struct leat_detok *d, const struct leat_vocab *v, int special)
{
	memset(d, 0, sizeof(*d));
	d->vocab = v;
	d->special = special;
}

void leat_detok_init_text(struct leat_detok *d, const struct leat_vocab *v, int special)
{
	leat_detok_init(d, v, special);
	d->drop_space = leat_vocab_space_prefix(v);
}

/* U+FFFD takes three bytes and may stand for a single one. */
size_t leat_detok_bound(const struct leat_detok *d, int id)
{
	size_t n;
	leat_vocab_bytes(d->vocab, id, d->special, &n);
	return 3 * (n + (size_t)d->n_held) + 1;
}

static size_t replace(char *out)
{
	memcpy(out, "\xef\xbf\xbd", 3);
	return 3;
}

/* May byte c follow the held ones in a well-formed sequence? */
static int continues(const struct leat_detok *d, unsigned char c)
{
	return d->n_held == 1 ? leat_utf8_second(d->held[0], c) : (c & 0xc0) == 0x80;
}

/* One byte in, the characters that it completes out. */
static size_t feed(struct leat_detok *d, unsigned char c, char *out)
{
	size_t n = 0;
	if (d->n_held > 0 && !continues(d, c)) {
		n = replace(out);
		d->n_held = 0;
	}
	if (d->n_held == 0 && leat_utf8_want(c) == 0)
		return n + replace(out + n);
	d->held[d->n_held++] = c;
	if (d->n_held == leat_utf8_want(d->held[0])) {
		memcpy(out + n, d->held, (size_t)d->n_held);
		n += (size_t)d->n_held;
		d->n_held = 0;
	}
	return n;
}

size_t leat_detok_next(struct leat_detok *d, int id, char *out, size_t cap)
{
	size_t n, written = 0;
	const unsigned char *s = leat_vocab_bytes(d->vocab, id, d->special, &n);
	if (cap < leat_detok_bound(d, id))
		return 0;
	size_t i = d->drop_space && n && s[0] == ' ';
	d->drop_space = d->drop_space && n == 0;
	for (; i < n; i++)
		written += feed(d, s[i], out + written);
	return written;
}

size_t leat_detok_flush(struct leat_detok *d, char *out, size_t cap)
{
	if (d->n_held == 0 || cap < 4)
		return 0;
	d->n_held = 0;
	return replace(out);
}
