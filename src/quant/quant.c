/* quant.c - the table of block formats. */
#include "quant/quant.h"

#include <stdio.h>

#include "gen/quant_all.h"

static const struct leat_quant table[LEAT_QUANT_COUNT] = {
#define X(name) [LEAT_QUANT_##name] = LEAT_QUANT_DESC_##name,
#include "gen/quant_formats.def"
#undef X
};

/* Names of the types that the GGUF specification lists, so that a refusal can say what the file holds. */
static const char *const gguf_names[] = {
	"F32", "F16", "Q4_0", "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K",
	"Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16",
	"I32", "I64", "F64", "IQ1_M", "BF16", "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0", "IQ4_NL_4_4",
	"IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4",
};

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
	if (type >= 0 && (size_t)type < sizeof gguf_names / sizeof *gguf_names)
		snprintf(buf, 24, "%s", gguf_names[type]);
	else
		snprintf(buf, 24, "type %lld", (long long)type);
	return buf;
}
