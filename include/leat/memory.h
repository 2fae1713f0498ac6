/* memory.h - where an engine's memory goes, and where it will go. Part of <leat/leat.h>. */
#ifndef LEAT_MEMORY_H
#define LEAT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_engine;

/* ---- memory ------------------------------------------------------------------------------------------------ */

/* Bytes, as they are at the moment of asking. */
struct leat_memory_info {
	uint32_t struct_size;
	int32_t page_tokens;      /* rows of tokens come in pages of so many; 0: no rows, a recurrent model */
	uint64_t weights_bytes;   /* the model's files, mapped and shared with whoever else maps them */
	uint64_t copies_bytes;    /* weights that the engine holds a second time, in the order that it reads them */
	uint64_t token_bytes;     /* that a token adds to its sequence */
	uint64_t sequence_bytes;  /* that a sequence takes besides: both of its recurrent states */
	uint64_t reserved_bytes;  /* set aside for states and pages; memory comes when they are first written */
	uint64_t resident_bytes;  /* of reserved_bytes, that is memory by now */
	uint64_t used_bytes;      /* of reserved_bytes, that sequences, marks and kept prompts hold */
	uint64_t peak_used_bytes; /* most that they ever held */
	uint64_t spill_bytes;     /* host copies of states of requests that were put aside */
	uint64_t scratch_bytes;   /* arenas and tables of the plans built so far */
	uint64_t books_bytes;     /* page tables, step block */
	uint64_t process_bytes;   /* resident memory of the whole process, 0: unknown */
	char reserved[64];        /* zero */
};

/* Fills *info, as far as info->struct_size says that the caller knows it. Any thread. */
LEAT_API void leat_engine_get_memory(struct leat_engine *e, struct leat_memory_info *info);

/* What resident_bytes will have grown to when n_seqs sequences have taken n_tokens each, in an engine that was fresh:
 * exact but for the size of the system's pages. UINT64_MAX: more than the engine holds. */
LEAT_API uint64_t leat_engine_predict_bytes(const struct leat_engine *e, uint64_t n_tokens, uint32_t n_seqs);

#ifdef __cplusplus
}
#endif
#endif
