/* leat.h - run language models (RWKV-7, Qwen 2 and 3, Llama, Mistral, Phi-3), GGUF or safetensors, on the CPU.
 *
 *   struct leat_model *m;      struct leat_engine *e;      struct leat_request *r;
 *   leat_model_open("model.gguf", NULL, &m, &err);         // file, tokenizer, shapes: checked once
 *   leat_engine_create(m, NULL, &e, &err);                 // threads, caches
 *   leat_model_tokenize(m, text, n, LEAT_TEXT_SPECIAL, &ids, &n_ids, &err);
 *   leat_request_submit(e, &params, &r, &err);
 *   while (leat_request_next(r, &t, &err) == LEAT_OK && !t.finish) write(1, t.text, t.text_bytes);
 *   leat_request_unref(r); leat_engine_unref(e); leat_model_unref(m);
 *
 * Rules that hold for every function
 * - The return value is LEAT_OK (0) or a negative enum leat_status; outputs (ret_..., last) are written on success
 *   only; *err (NULL allowed) on failure only. The library never prints, exits, aborts, installs a signal handler or
 *   reads the environment.
 * - Parameter structs begin with struct_size and are initialised by their _INIT macro; a zero field means its default.
 * - Models are immutable and may be used from any thread. An engine and its requests belong to one thread at a time,
 *   except leat_request_cancel, which may be called from any thread at any moment.
 * - Handles are reference counted where a _ref function exists; NULL is allowed in every _unref and _close. */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"
#include "leat/chat.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LEAT_VERSION_MAJOR 0
#define LEAT_VERSION_MINOR 1
#define LEAT_VERSION_PATCH 0

LEAT_API const char *leat_version(void);    /* "0.1.0" */
LEAT_API const char *leat_build_info(void); /* compiler and options of this build, one line */

/* ---- models ------------------------------------------------------------------------------------------------ */

struct leat_model;

/* Called while a model loads; done and total in bytes. A nonzero return cancels (LEAT_E_CANCELLED). */
typedef int leat_progress_fn(void *user, const char *phase, uint64_t done, uint64_t total);

struct leat_model_params {
	uint32_t struct_size;
	uint32_t flags;             /* LEAT_MODEL_... */
	leat_progress_fn *progress; /* NULL: none */
	void *progress_user;
	const char *tokenizer;      /* vocabulary to use instead of the file's (path of an RWKV World text), or NULL */
};
enum {
	LEAT_MODEL_VOCAB_ONLY = 1, /* tokenizer only: the weights are not looked at */
};
#define LEAT_MODEL_PARAMS_INIT { sizeof(struct leat_model_params), 0, NULL, NULL, NULL }

/* Maps the file, checks all of it, recognises the architecture, proves every tensor's shape. Reads no weight: a mapped
 * 4 GB file opens in milliseconds. E_NOTFOUND, E_IO, E_FORMAT, E_UNSUPPORTED, E_LIMIT, E_NOMEM, E_CANCELLED. */
LEAT_API enum leat_status leat_model_open(const char *path, const struct leat_model_params *params,
					  struct leat_model **ret, struct leat_error *err);
LEAT_API struct leat_model *leat_model_ref(struct leat_model *m);
LEAT_API void leat_model_unref(struct leat_model *m);

struct leat_model_info {
	uint32_t struct_size;
	uint32_t recurrent;         /* 1: a fixed state per sequence instead of a cache that grows */
	char arch[32];              /* "rwkv7" */
	char name[96];              /* as the file calls it, "" if it does not */
	char type[16];              /* the weight type that most bytes are in: "Q8_0" */
	uint64_t n_params;
	uint64_t file_bytes;
	uint64_t read_bytes_per_token; /* weights read for one generated token */
	uint64_t kv_bytes_per_token;   /* at the default cache type; 0 if recurrent */
	uint64_t state_bytes;          /* per sequence; 0 if attention only */
	int32_t n_layer, n_embd, n_ff, n_head, n_kv_head, head_size;
	int32_t n_vocab;            /* usable token ids are 0 .. n_vocab-1 */
	int32_t n_rows;             /* logits per row as the file's head has them; >= n_vocab */
	int32_t n_ctx_train;        /* tokens the model was made for; 0: no limit */
	int32_t bos, eos;           /* -1 if none */
	char tokenizer[16];         /* "bpe", "spm", "rwkv" */
	int32_t window;             /* keys that a token sees, its own included; 0: all before it */
	int32_t n_ctx_short;        /* longrope: longer requests take the long rotary factors; 0: one set for all */
	char reserved[40];
};
/* info->struct_size says how much the caller knows. */
LEAT_API enum leat_status leat_model_get_info(const struct leat_model *m, struct leat_model_info *info);

/* ---- text -------------------------------------------------------------------------------------------------- */

enum {
	LEAT_TEXT_SPECIAL = 1,       /* tokenize: add BOS/EOS as the model asks; detokenize: show control tokens */
	LEAT_TEXT_PARSE_SPECIAL = 2, /* tokenize: control tokens written out in the text become their ids */
};

/* text[n] -> heap array of ids (leat_free). Any bytes are accepted. */
LEAT_API enum leat_status leat_model_tokenize(const struct leat_model *m, const char *text, size_t n, unsigned flags,
					      int32_t **ret_ids, size_t *ret_n, struct leat_error *err);
/* ids[n] -> heap text (leat_free), NUL-terminated after *ret_bytes bytes; always valid UTF-8. E_ARG: an id out of
 * range. */
LEAT_API enum leat_status leat_model_detokenize(const struct leat_model *m, const int32_t *ids, size_t n,
						unsigned flags, char **ret_text, size_t *ret_bytes,
						struct leat_error *err);
/* Raw bytes of one token (may be part of a character), borrowed from the model; NULL for an id out of range. */
LEAT_API const unsigned char *leat_model_token_bytes(const struct leat_model *m, int32_t id, size_t *ret_n);
LEAT_API void leat_free(void *p);

/* ---- engines ----------------------------------------------------------------------------------------------- */

struct leat_engine;

enum leat_mode {
	LEAT_MODE_DEFAULT = 0,
	LEAT_MODE_DETERMINISTIC = 1, /* a row's bits depend on its own tokens only: not on chunks, batch or threads */
	LEAT_MODE_REFERENCE = 2,     /* slow: exact dequantisation, float32 caches, portable kernels */
};

struct leat_engine_params {
	uint32_t struct_size;
	int32_t n_threads;    /* 0: processors this process may use, fewer for small models */
	int32_t n_ctx;        /* tokens per sequence; 0: the model's own, cut to memory; recurrent: no limit */
	int32_t n_seqs;       /* sequences at a time; 0: 1 */
	int32_t n_batch;      /* most tokens of one step; 0: 512 */
	int32_t mode;         /* enum leat_mode */
	const char *kv_type;  /* "f16" or "f32"; NULL: "f16" */
	const char *opts;     /* "name=on,other=off"; NULL: all on. leat_opt_at lists them */
	uint32_t cpu_mask_off; /* instruction sets not to use, bits as in leat_system_info.cpu_flags; for tests */
	int32_t threads_poll_us; /* idle threads spin this long, then sleep; 0: 50 (none if oversubscribed); -1: none */
	int32_t n_marks;      /* recurrent models: marks that all sessions together may have; 0: 4 */
	int32_t reserved0;
};
#define LEAT_ENGINE_PARAMS_INIT { sizeof(struct leat_engine_params), 0, 0, 0, 0, 0, NULL, NULL, 0, 0, 0, 0 }

/* E_ARG, E_NOMEM (with the missing bytes), E_UNSUPPORTED (an op the device lacks, by name), E_CONTEXT (n_ctx beyond
 * memory). The engine holds a reference on the model. */
LEAT_API enum leat_status leat_engine_create(struct leat_model *m, const struct leat_engine_params *params,
					     struct leat_engine **ret, struct leat_error *err);
LEAT_API void leat_engine_unref(struct leat_engine *e); /* live requests keep it until they are gone */

struct leat_engine_info {
	uint32_t struct_size;
	int32_t n_threads, n_ctx, n_seqs, n_batch, mode;
	uint64_t state_bytes;   /* KV pages or recurrent cells, as allocated */
	uint64_t scratch_bytes; /* arenas of the plans built so far */
	uint64_t plan_lookups, plan_hits;
	uint64_t steps, tokens; /* run so far */
	char device[96];        /* "CPU: AMD EPYC ... (avx2 avx512 avx512vnni), 2 threads" */
	char reserved[64];
};
LEAT_API enum leat_status leat_engine_get_info(const struct leat_engine *e, struct leat_engine_info *info);

/* Logits of given tokens, teacher-forced from an empty state, `chunk` tokens a step (0: as many as fit). `row` is
 * called for each token in order with n_rows floats that live until it returns; a nonzero return stops
 * (LEAT_E_CANCELLED). */
typedef int leat_logits_fn(void *user, size_t index, const float *logits, int32_t n_rows);
LEAT_API enum leat_status leat_engine_logits(struct leat_engine *e, const int32_t *tokens, size_t n_tokens,
					     int32_t chunk, leat_logits_fn *row, void *user, struct leat_error *err);

/* ---- requests ---------------------------------------------------------------------------------------------- */

struct leat_request;

struct leat_logit_bias_entry {
	int32_t id;
	float bias; /* added to the logit; -INFINITY forbids */
};

struct leat_request_params {
	uint32_t struct_size;
	uint32_t flags;          /* LEAT_REQUEST_... */
	const int32_t *tokens;   /* the prompt; copied */
	uint64_t n_tokens;       /* >= 1 */
	int64_t max_tokens;      /* -1: until the model ends or the context is full */
	uint64_t seed;
	float temperature;       /* 0: greedy */
	float top_p, min_p, typical_p;
	int32_t top_k;
	float repeat_penalty, presence_penalty, frequency_penalty, penalty_decay;
	int32_t repeat_last_n;
	uint32_t choice;         /* index of this answer among several to one prompt */
	const char *samplers;    /* order, NULL: the default */
	const struct leat_logit_bias_entry *logit_bias; /* copied */
	int32_t n_logit_bias;
	int32_t n_stop;
	const char *const *stop; /* NUL-terminated; copied */
	const int32_t *stop_ids; /* tokens that end the answer as the model's own end does; copied */
	int32_t n_stop_ids, reserved0;
	struct leat_session *session; /* follow on what it holds (leat/chat.h); NULL: begin anew */
};
enum {
	LEAT_REQUEST_RANDOM_SEED = 1, /* draw a seed; leat_request_get_stats reports it */
	LEAT_REQUEST_IGNORE_EOS = 2,
	LEAT_REQUEST_SHOW_SPECIAL = 4, /* control tokens appear in the text */
};
/* Fills *p with the defaults of the model's family (attention: 0.8 / top-k 40 / top-p 0.95 / min-p 0.05; RWKV: 1.0 /
 * top-p 0.5, and with the World vocabulary penalties 0.3 and 0.3 that fade by 0.996 a token and look at the answer
 * only), a random seed, no limit. */
LEAT_API void leat_request_params_init(const struct leat_model *m, struct leat_request_params *p);

/* E_ARG names the field; E_CONTEXT: prompt longer than the context; E_BUSY: as many requests as n_seqs are live. */
LEAT_API enum leat_status leat_request_submit(struct leat_engine *e, const struct leat_request_params *params,
					      struct leat_request **ret, struct leat_error *err);

enum leat_finish {
	LEAT_FINISH_NONE = 0,
	LEAT_FINISH_EOS,     /* the model ended */
	LEAT_FINISH_STOP,    /* a stop string */
	LEAT_FINISH_LENGTH,  /* max_tokens or the context */
	LEAT_FINISH_CANCELLED,
	LEAT_FINISH_ERROR,   /* leat_request_next returned the error */
};

struct leat_token {
	uint32_t struct_size;
	int32_t id;              /* -1 on a final event that brings no token */
	const char *text;        /* whole UTF-8 characters, may be empty; borrowed until the next call */
	uint64_t text_bytes;
	uint64_t index;          /* 0 for the first generated token */
	float logit, prob, logprob; /* of id under the model's own distribution */
	int32_t is_eos;
	int32_t finish;          /* enum leat_finish; nonzero on the last event only */
};
#define LEAT_TOKEN_INIT { sizeof(struct leat_token), 0, NULL, 0, 0, 0, 0, 0, 0, 0 }

/* Runs the engine until this request has a token and returns it. After the event with finish != 0 every call returns
 * E_ARG. Text that may still become a stop string, and incomplete characters, come with a later event. */
LEAT_API enum leat_status leat_request_next(struct leat_request *r, struct leat_token *ret, struct leat_error *err);

/* The next leat_request_next returns LEAT_FINISH_CANCELLED. Any thread, idempotent, async-signal-safe. */
LEAT_API void leat_request_cancel(struct leat_request *r);

struct leat_request_stats {
	uint32_t struct_size;
	int32_t finish;
	uint64_t seed;
	uint64_t n_prompt, n_generated;
	uint64_t prompt_ns, generate_ns; /* time in steps; generate_ns excludes the prompt */
	/* 1: a model with two sets of rotary factors (longrope) took the long ones, because prompt and max_tokens
	 * together exceed its original context. Fixed when the request is submitted. */
	int32_t rope_long;
	int32_t reserved0;
	uint64_t n_cached;       /* tokens that the session held already; n_prompt were fed */
	char reserved[32];
};
LEAT_API enum leat_status leat_request_get_stats(const struct leat_request *r, struct leat_request_stats *stats);
LEAT_API void leat_request_unref(struct leat_request *r); /* cancels if still running */

/* ---- looking around ---------------------------------------------------------------------------------------- */

/* A file's contents without understanding the model: works for architectures that leat cannot run. */
struct leat_inspect;
LEAT_API enum leat_status leat_inspect_open(const char *path, struct leat_inspect **ret, struct leat_error *err);
LEAT_API void leat_inspect_close(struct leat_inspect *i);
struct leat_inspect_info {
	uint32_t struct_size;
	uint32_t version;
	char container[16];
	uint64_t file_bytes, n_meta, n_tensors, alignment;
};
LEAT_API void leat_inspect_get_info(const struct leat_inspect *i, struct leat_inspect_info *ret);
/* Key, type name and printable value (shortened to fit) of entry `index` < n_meta; strings are cut, never overrun. */
LEAT_API enum leat_status leat_inspect_meta(const struct leat_inspect *i, uint64_t index, char *key, size_t key_cap,
					    char *type, size_t type_cap, char *value, size_t value_cap);
struct leat_tensor_info {
	uint32_t struct_size;
	int32_t n_dims;
	uint64_t dim[4]; /* dim[0] is contiguous */
	uint64_t offset, bytes;
	char name[128];
	char type[24];
};
LEAT_API enum leat_status leat_inspect_tensor(const struct leat_inspect *i, uint64_t index,
					      struct leat_tensor_info *ret);

struct leat_system_info {
	uint32_t struct_size;
	uint32_t cpu_flags;  /* usable instruction sets */
	int32_t n_cpus;      /* allowed by affinity and cgroup quota */
	int32_t reserved0;
	char cpu[96];
	char cpu_sets[96];   /* names of cpu_flags */
	uint64_t memory_bytes, memory_free_bytes;
};
LEAT_API void leat_get_system_info(struct leat_system_info *ret);

/* The switches of engine_params.opts: index 0.. until NULL. */
struct leat_opt_info {
	const char *name, *help;
	int32_t on_by_default;
};
LEAT_API const struct leat_opt_info *leat_opt_at(int32_t index);
/* Architectures and weight types this build knows: index 0.. until NULL. */
LEAT_API const char *leat_arch_name_at(int32_t index);
LEAT_API const char *leat_type_name_at(int32_t index);

#ifdef __cplusplus
}
#endif
#endif
