/* template_rwkv.c - RWKV World (BlinkDL's model cards): "User: ...", a blank line, "Assistant:". A blank line ends a
 * message, so messages are written without. The models go on to write the next "User:" themselves: that is the stop.
 * "\n\n" alone is none, since newer World models answer in paragraphs. */
#include <stddef.h>

#include "text/template.h"

static const char *const signs[] = {"User: ", "Assistant:", NULL};
static const char *const by_name[] = {"rwkv-world", NULL};
static const char *const stops[] = {"\n\nUser:", "\nUser:", NULL};

const struct leat_template leat_template_rwkv = {
	.name = "rwkv",
	.signs = signs,
	.other_signs = by_name,
	.stops = stops,
	.frame = {
		[LEAT_ROLE_SYSTEM] = {"System: ", "\n\n"},
		[LEAT_ROLE_USER] = {"User: ", "\n\n"},
		[LEAT_ROLE_ASSISTANT] = {"Assistant:", "\n\n"},
	},
	.lead = " ",
	.flags = LEAT_TEMPLATE_TRIM | LEAT_TEMPLATE_NO_BLANK_LINES,
	.arch = "rwkv",
};
