/* opts.c - parsing "name=on,name=off". */
#include "plan/opts.h"

#include <string.h>

static const struct leat_opt_info table[] = {
#define X(name, on, help) { #name, help, on },
	LEAT_OPTS_MAP(X)
#undef X
};

const struct leat_opt_info *leat_opt_at(int32_t index)
{
	return index >= 0 && index < LEAT_OPT_COUNT ? &table[index] : NULL;
}

static int find(const char *name, size_t n)
{
	for (int i = 0; i < LEAT_OPT_COUNT; i++)
		if (strlen(table[i].name) == n && !memcmp(table[i].name, name, n))
			return i;
	return -1;
}

static enum leat_status one(const char *item, size_t n, uint64_t *opts, struct leat_error *err)
{
	const char *eq = memchr(item, '=', n);
	int i = eq ? find(item, (size_t)(eq - item)) : -1;
	size_t n_value = eq ? n - (size_t)(eq + 1 - item) : 0;
	if (i < 0)
		return leat_fail(err, LEAT_E_ARG, "opt", LEAT_NO_OFFSET,
				 "--opt %.*s: no such switch (leat doctor --opts lists them)", (int)n, item);
	if (n_value == 2 && !memcmp(eq + 1, "on", 2))
		*opts |= (uint64_t)1 << i;
	else if (n_value == 3 && !memcmp(eq + 1, "off", 3))
		*opts &= ~((uint64_t)1 << i);
	else
		return leat_fail(err, LEAT_E_ARG, "opt", LEAT_NO_OFFSET, "--opt %.*s: the value is not on or off",
				 (int)n, item);
	return LEAT_OK;
}

enum leat_status leat_opts_parse(const char *text, uint64_t *ret, struct leat_error *err)
{
	uint64_t opts = 0;
	for (int i = 0; i < LEAT_OPT_COUNT; i++)
		opts |= (uint64_t)(table[i].on_by_default != 0) << i;
	while (text && *text) {
		size_t n = strcspn(text, ",");
		LEAT_TRY(one(text, n > 200 ? 200 : n, &opts, err));
		text += n + (text[n] == ',');
	}
	*ret = opts;
	return LEAT_OK;
}
