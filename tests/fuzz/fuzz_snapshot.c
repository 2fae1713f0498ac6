/* fuzz_snapshot.c - state files: what is accepted is whole, and writes the same bytes again.
 *
 * A fuzzer does not guess a SHA-256, so each input is read twice: as it is, and with its sums made right. */
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "state/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

struct same {
	const uint8_t *data;
	size_t n, at;
};

static enum leat_status compare(void *user, const void *data, size_t n, struct leat_error *err)
{
	struct same *s = user;
	(void)err;
	REQUIRE(n <= s->n - s->at && !memcmp(s->data + s->at, data, n));
	s->at += n;
	return LEAT_OK;
}

static void read_all(const uint8_t *data, size_t n)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_snapshot *x = NULL, *head = NULL;
	struct same s = { data, n, 0 };
	char id[65];
	enum leat_status st = leat_snapshot_read_head(data, n, &head, &err);
	if (st == LEAT_OK)
		leat_snapshot_id(head, id);
	leat_snapshot_unref(head);
	if (leat_snapshot_read(data, n, &x, &err)) {
		REQUIRE(err.status && err.message[0] && !x);
		return;
	}
	REQUIRE(st == LEAT_OK && leat_snapshot_file_bytes(x) == n);
	REQUIRE(leat_snapshot_write(x, &(struct leat_snapshot_sink){ compare, &s }, NULL) == LEAT_OK && s.at == n);
	leat_snapshot_unref(x);
}

/* The five sums of the table and the hash at the end. */
static void seal(uint8_t *data, size_t n)
{
	struct leat_sha256 sha;
	for (size_t e = 32; e < 232; e += 40) {
		uint64_t at, bytes;
		memcpy(&at, data + e + 8, 8);
		memcpy(&bytes, data + e + 16, 8);
		if (at > n || bytes > n - at)
			continue;
		struct leat_hash128 h = leat_hash128(0, data + at, (size_t)bytes);
		memcpy(data + e + 24, &h, sizeof h);
	}
	leat_sha256_init(&sha);
	leat_sha256_add(&sha, data, n - 32);
	leat_sha256_end(&sha, data + n - 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	read_all(data, n);
	if (n < 264)
		return 0;
	uint8_t *copy = malloc(n);
	uint64_t bytes = n;
	REQUIRE(copy);
	memcpy(copy, data, n);
	memcpy(copy + 16, &bytes, sizeof bytes);
	seal(copy, n);
	read_all(copy, n);
	free(copy);
	return 0;
}
