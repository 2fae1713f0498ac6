/* quant.c - the table of block formats. */
#include "quant/quant.h"

#include <stdio.h>

#include "gen/quant_all.h"

static const struct leat_quant table[LEAT_QUANT_COUNT] = {
#define X(name) [LEAT_QUANT_##name] = LEAT_QUANT_DESC_##name,
#include "gen/quant_formats.def"
#undef X
};

/* What the GGUF specification lists, by number, so that a file can be shown and a refusal can say what it holds. No
 * layout: withdrawn types, whose blocks are no longer written down. */
static const struct {
	const char *name;
	short elems, bytes; /* of a block */
} gguf_types[] = {
	{"F32", 1, 4},       {"F16", 1, 2},      {"Q4_0", 32, 18},    {"Q4_1", 32, 20},      {"Q4_2", 0, 0},
	{"Q4_3", 0, 0},      {"Q5_0", 32, 22},   {"Q5_1", 32, 24},    {"Q8_0", 32, 34},      {"Q8_1", 32, 36},
	{"Q2_K", 256, 84},   {"Q3_K", 256, 110}, {"Q4_K", 256, 144},  {"Q5_K", 256, 176},    {"Q6_K", 256, 210},
	{"Q8_K", 256, 292},  {"IQ2_XXS", 256, 66}, {"IQ2_XS", 256, 74}, {"IQ3_XXS", 256, 98}, {"IQ1_S", 256, 50},
	{"IQ4_NL", 32, 18},  {"IQ3_S", 256, 110}, {"IQ2_S", 256, 82}, {"IQ4_XS", 256, 136},  {"I8", 1, 1},
	{"I16", 1, 2},       {"I32", 1, 4},      {"I64", 1, 8},       {"F64", 1, 8},         {"IQ1_M", 256, 56},
	{"BF16", 1, 2},      {"Q4_0_4_4", 0, 0}, {"Q4_0_4_8", 0, 0},  {"Q4_0_8_8", 0, 0},    {"TQ1_0", 256, 54},
	{"TQ2_0", 256, 66},  {"IQ4_NL_4_4", 0, 0}, {"IQ4_NL_4_8", 0, 0}, {"IQ4_NL_8_8", 0, 0}, {"MXFP4", 32, 17},
};

static const struct {
	const char *name;
	int bytes;
} own_types[] = {{"U8", 1}, {"U16", 2}, {"U32", 4}, {"U64", 8}, {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
_Static_assert(sizeof own_types / sizeof *own_types == LEAT_TYPE_END - LEAT_TYPE_U8, "one row for each LEAT_TYPE_");

static int is_gguf(int64_t type)
{
	return type >= 0 && (size_t)type < sizeof gguf_types / sizeof *gguf_types;
}

static int is_own(int64_t type)
{
	return type >= LEAT_TYPE_U8 && type < LEAT_TYPE_END;
}

int leat_quant_layout(int64_t type, int *ret_block_elems, int *ret_block_bytes)
{
	int elems = is_own(type) ? 1 : is_gguf(type) ? gguf_types[type].elems : 0;
	if (elems == 0)
		return 0;
	*ret_block_elems = elems;
	*ret_block_bytes = is_own(type) ? own_types[type - LEAT_TYPE_U8].bytes : gguf_types[type].bytes;
	return 1;
}

const struct leat_quant *leat_quant_at(int index)
{
	return &table[index];
}

int leat_quant_of_type(int64_t type)
{
	for (int i = 0; i < LEAT_QUANT_COUNT; i++)
		if (table[i].type == type)
			return i;
	return -1;
}

const char *leat_quant_type_name(int64_t type, char buf[24])
{
	if (is_gguf(type) || is_own(type))
		snprintf(buf, 24, "%s", is_own(type) ? own_types[type - LEAT_TYPE_U8].name : gguf_types[type].name);
	else
		snprintf(buf, 24, "type %lld", (long long)type);
	return buf;
}
