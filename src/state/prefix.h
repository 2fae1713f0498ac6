/* prefix.h - which beginnings of token sequences the store still holds the state of, and the way back into them.
 *
 * A tree of token blocks for each key: a page's worth of tokens for attention models, LEAT_PREFIX_GRID for recurrent
 * ones. A node holds what the store keeps for it: a page (shared with slots), a cell with the state after its last
 * token, or nothing, where only longer beginnings are kept. Shorter last blocks ("tails") stand for ends that lie
 * between: the end of a prompt, a message border. A seeded hash of parent and tokens finds a node; its parent and its
 * tokens are compared before it is used, so a collision can do no harm.
 *
 * What is kept lies within a budget of bytes, in two segments: new entries stand on probation, entries that were hit
 * are protected until newer hits push them out. So a scan of prompts that never come back does not evict those that do.
 * When slots need memory, the store takes it from here. Owned by the engine's thread. */
#ifndef LEAT_STATE_PREFIX_H
#define LEAT_STATE_PREFIX_H

#include "base/hash.h"
#include "state/store.h"

enum { LEAT_PREFIX_GRID = 32 };

/* All that shaped a state besides the tokens. Compared bytewise: zero the struct before filling it. */
struct leat_prefix_key {
	unsigned char model[32];   /* hash of the weights and the settings; zeros where one index serves one model */
	unsigned char adapter[32]; /* of what is applied to them, zeros: none */
	unsigned char initial[32]; /* of the state that the sequence began with, zeros: empty */
	unsigned char salt[16];    /* keeps users apart who must not find each other's prompts */
	int32_t mode;              /* enum leat_mode */
	int32_t kv_type;
	int32_t rope_long;
	int32_t window;            /* that was asked for, beyond the model's own */
};

struct leat_prefix;

struct leat_prefix_params {
	struct leat_store *store; /* outlives the index, and asks it for memory from now on */
	uint64_t budget_bytes;    /* 0: the index keeps nothing and finds nothing */
	int window;               /* of the attention, 0: all; rows before it are not needed for a hit */
	uint64_t seed;            /* 0: a random one */
	struct leat_hash128 (*hash)(uint64_t seed, const void *data, size_t n); /* NULL: leat_hash128; for tests */
};

struct leat_prefix_counts {
	uint64_t lookups, hits;             /* by leat_prefix_load */
	uint64_t tokens_asked, tokens_saved;
	uint64_t n_put, n_evicted;          /* pages and snapshots */
	uint64_t n_collisions;              /* the hash agreed and the tokens did not */
	uint64_t n_entries, n_protected;
	uint64_t bytes, budget_bytes;
	uint64_t disk_hits;                 /* of the hits: the state came from the shelf */
};

enum leat_status leat_prefix_create(const struct leat_prefix_params *p, struct leat_prefix **ret,
				    struct leat_error *err);
void leat_prefix_destroy(struct leat_prefix *ix); /* gives all back to the store; NULL allowed */

/* ---- finding ---- */

/* How many of tokens[n] a load would bring, for planning: changes nothing, counts nothing. */
int64_t leat_prefix_peek(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n);

/* Loads the longest kept beginning of tokens[n] into a slot (in place of what it holds) and into `cell` (the recurrent
 * state; -1 without one) and returns its length, 0: none. Pass one token less than the prompt has: the last one must be
 * computed to get its logits. Attention: any length; recurrent: where a snapshot was kept. */
int64_t leat_prefix_load(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n,
			 int slot, int cell);

/* ---- keeping ---- */

/* Keeps what a sequence holds: pages of the slot for tokens[n], and a copy of `cell` as the state after them. What is
 * there already stays. The slot goes on as it likes: writing into a page that is kept copies it first. */
void leat_prefix_put(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n,
		     int slot, int cell);

/* Recurrent models: snapshots inside a step. Fills ret[cap] with checkpoints for the step that feeds tokens n_past ..
 * n_past + n - 1 of `tokens`: one for each multiple of the grid, and for each asked position (a number of tokens:
 * message borders, end of the prompt - 1), that is not kept yet. Rows count from the first token fed, ascending.
 * Returns how many. Afterwards hand them to leat_prefix_commit, or to leat_prefix_abort if the step failed. */
int leat_prefix_plan(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n_past,
		     int n, const int64_t *asked, int n_asked, struct leat_checkpoint *ret, int cap);
void leat_prefix_commit(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens,
			int64_t n_past, const struct leat_checkpoint *made, int n_made);
void leat_prefix_abort(struct leat_prefix *ix, const struct leat_checkpoint *made, int n_made);

/* ---- memory ---- */

/* Evicts, coldest first, until at most `bytes` are kept; the budget stays. */
void leat_prefix_shrink(struct leat_prefix *ix, uint64_t bytes);
void leat_prefix_clear(struct leat_prefix *ix);
void leat_prefix_get_counts(const struct leat_prefix *ix, struct leat_prefix_counts *ret);

/* A folder of states (state/shelf.h; NULL: none, borrowed) that leat_prefix_load looks into when it holds more than the
 * index does; what it brings is kept by the index too. */
struct leat_shelf;
void leat_prefix_set_shelf(struct leat_prefix *ix, struct leat_shelf *shelf);
/* Writes what is kept to the shelf, hottest first, until `bytes` are written (0: no limit but the shelf's budget).
 * Stops at the first failure: E_IO, E_NOMEM. Nothing to do without a shelf. */
enum leat_status leat_prefix_flush(struct leat_prefix *ix, uint64_t bytes, struct leat_error *err);

/* Visits what is kept, hottest first: entries that no longer beginning continues (attention), every snapshot
 * (recurrent). pages[n_pages] as in a page table, cell -1: none; all borrowed. A nonzero return ends the visit. */
struct leat_prefix_entry {
	const struct leat_prefix_key *key;
	const int32_t *tokens;
	int64_t n_tokens;
	const int32_t *pages;
	int n_pages, cell;
};
typedef int leat_prefix_visit_fn(void *user, const struct leat_prefix_entry *e);
/* E_NOMEM. */
enum leat_status leat_prefix_each(struct leat_prefix *ix, leat_prefix_visit_fn *visit, void *user,
				  struct leat_error *err);

#endif
