/* template_mistral.c - Mistral Instruct (Mistral's model card): [INST], without a role for the system, whose message
 * stands before the first one of the user. */
#include <stddef.h>

#include "text/template.h"

static const char *const signs[] = {"[INST]", "[/INST]", NULL};

const struct leat_template leat_template_mistral = {
	.name = "mistral",
	.signs = signs,
	.marks = signs,
	.frame = {
		[LEAT_ROLE_SYSTEM] = {"", "\n\n"},
		[LEAT_ROLE_USER] = {"[INST] ", " [/INST]"},
		[LEAT_ROLE_ASSISTANT] = {"", LEAT_TEMPLATE_EOS},
	},
	.lead = " ",
	.flags = LEAT_TEMPLATE_TRIM | LEAT_TEMPLATE_SYSTEM_IN_USER | LEAT_TEMPLATE_MARKS_OPTIONAL,
};
