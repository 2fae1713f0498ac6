#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

/* One stop string with its failure function (Knuth, Morris, Pratt 1977): fail[k] is the length of the longest proper
 * prefix of text[0..k) that is also its suffix. */
struct stop {
	unsigned char text[LEAT_MAX_STOP_BYTES];
	uint16_t fail[LEAT_MAX_STOP_BYTES + 1];
	uint16_t n, state; /* state: bytes of it that the stream ends with */
};

struct leat_stops {
	int n, found;
	size_t n_held;
	unsigned char held[LEAT_MAX_STOP_BYTES]; /* seen and not shown: the longest state's bytes */
	struct stop stop[];
};

static void fill(struct stop *s, const char *text, size_t n)
{
	memcpy(s->text, text, n);
	s->n = (uint16_t)n;
	for (size_t k = 1, same = 0; k < n; k++) {
		while (same && s->text[same] != s->text[k])
			same = s->fail[same];
		same += s->text[same] == s->text[k];
		s->fail[k + 1] = (uint16_t)same;
	}
}

enum leat_status leat_stops_create(const char *const *stops, const size_t *lens, int n, struct leat_stops **ret,
				   struct leat_error *err)
{
	if (n < 0 || n > LEAT_MAX_STOPS)
		return leat_fail(err, n < 0 ? LEAT_E_ARG : LEAT_E_LIMIT, "stop", LEAT_NO_OFFSET,
				 "found %d stop strings, wanted 0 to %d", n, LEAT_MAX_STOPS);
	for (int i = 0; i < n; i++)
		if (lens[i] == 0 || lens[i] > LEAT_MAX_STOP_BYTES)
			return leat_fail(err, lens[i] ? LEAT_E_LIMIT : LEAT_E_ARG, "stop", LEAT_NO_OFFSET,
					 "stop string %d: found %zu bytes, wanted 1 to %d", i, lens[i],
					 LEAT_MAX_STOP_BYTES);
	struct leat_stops *s = calloc(1, sizeof(*s) + (size_t)n * sizeof(s->stop[0]));
	if (!s)
		return leat_fail(err, LEAT_E_NOMEM, "stop", LEAT_NO_OFFSET, "no memory for %d stop strings", n);
	s->n = n;
	s->found = -1;
	for (int i = 0; i < n; i++)
		fill(&s->stop[i], stops[i], lens[i]);
	*ret = s;
	return LEAT_OK;
}

void leat_stops_destroy(struct leat_stops *s)
{
	free(s);
}

void leat_stops_reset(struct leat_stops *s)
{
	s->found = -1;
	s->n_held = 0;
	for (int i = 0; i < s->n; i++)
		s->stop[i].state = 0;
}

/* One byte through one automaton; 1 if the string is complete. */
static int advance(struct stop *s, unsigned char c)
{
	size_t k = s->state;
	while (k && s->text[k] != c)
		k = s->fail[k];
	k += s->text[k] == c;
	s->state = (uint16_t)k;
	return k == s->n;
}

/* The longest stop string that ends with this byte, or -1; *ret_hold gets the longest beginning of one. */
static int step(struct leat_stops *s, unsigned char c, size_t *ret_hold)
{
	int found = -1;
	*ret_hold = 0;
	for (int i = 0; i < s->n; i++) {
		struct stop *stop = &s->stop[i];
		if (advance(stop, c) && (found < 0 || stop->n > s->stop[found].n))
			found = i;
		if (stop->state > *ret_hold)
			*ret_hold = stop->state;
	}
	return found;
}

int leat_stops_feed(struct leat_stops *s, const char *text, size_t n, char *out, size_t *ret_n)
{
	size_t hold = s->n_held, end = s->n_held;
	*ret_n = 0;
	if (s->found >= 0)
		return s->found;
	memcpy(out, s->held, s->n_held);
	for (size_t i = 0; i < n; i++) {
		out[end++] = text[i];
		s->found = step(s, (unsigned char)text[i], &hold);
		if (s->found >= 0) {
			s->n_held = 0;
			*ret_n = end - s->stop[s->found].n;
			return s->found;
		}
	}
	/* Less than a whole stop string is held, so it fits. */
	memcpy(s->held, out + end - hold, hold);
	s->n_held = hold;
	*ret_n = end - hold;
	return -1;
}

size_t leat_stops_held(const struct leat_stops *s)
{
	return s->n_held;
}

size_t leat_stops_flush(struct leat_stops *s, char *out)
{
	size_t n = s->n_held;
	memcpy(out, s->held, n);
	s->n_held = 0;
	return n;
}
