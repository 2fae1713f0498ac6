/* cli.h - what the subcommands share: options, output, errors. */
#ifndef LEAT_CLI_CLI_H
#define LEAT_CLI_CLI_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/leat.h"

/* Exit codes of INTERFACES: sysexits.h numbers, 1 for a negative verdict, 128+n for signals. */
enum {
	EXIT_VERDICT = 1, EXIT_USAGE = 2, EXIT_DATA = 65, EXIT_NOINPUT = 66, EXIT_UNAVAILABLE = 69, EXIT_SOFTWARE = 70,
	EXIT_IOERR = 74, EXIT_TEMPFAIL = 75, EXIT_SIGINT = 130, EXIT_SIGPIPE = 141
};

enum {
	C_RUN = 1 << 0, C_INSPECT = 1 << 1, C_TOKENIZE = 1 << 2, C_LOGITS = 1 << 3, C_BENCH = 1 << 4, C_SYNTH = 1 << 5,
	C_DOCTOR = 1 << 6, C_COMPLETIONS = 1 << 7, C_PERPLEXITY = 1 << 8, C_CHAT = 1 << 9,
	C_EMBED = 1 << 10, C_ALL = (1 << 16) - 1
};

enum cli_option {
#define X(id, name, short_name, type, range, dflt, env, commands, metavar, help) OPT_##id,
#include "options.def"
#undef X
	N_OPTIONS
};

enum cli_type { CLI_BOOL, CLI_INT, CLI_FLOAT, CLI_SEED, CLI_CHOICE, CLI_STRING, CLI_LIST };

/* A row of options.def, as it stands there. */
struct cli_option_row {
	const char *name, *short_name;
	enum cli_type type;
	const char *range, *dflt;
	int env;
	unsigned commands;
	const char *metavar, *help;
};

enum cli_source { CLI_DEFAULT, CLI_ENV, CLI_FLAG };

struct cli_value {
	int source;        /* enum cli_source */
	int64_t i;         /* BOOL, INT, SEED (bits), CHOICE (index) */
	double f;          /* FLOAT */
	const char *s;     /* as written; NULL if there is not even a default */
	const char **list; /* LIST */
	int n_list;
};

struct cli {
	const struct leat_cmd *cmd;
	struct cli_value value[N_OPTIONS];
	char **args;       /* what is not a flag; moves on as arguments are used up */
	char **all_args;   /* the allocation behind it */
	int n_args;
	char *opts;        /* the values of --opt joined by ',', NULL if none */
	int json, quiet, verbose;
	struct leat_trace *trace; /* of --trace; NULL: none */
};

struct cli_example {
	const char *command, *what;
};

/* A file cli/cmd_NAME.c exports `const struct leat_cmd leat_cmd_NAME`. --help, the manual pages and the completions are
 * made of it. */
struct leat_cmd {
	const char *name, *alias; /* alias "" if none */
	const char *summary;      /* one line for `leat --help` */
	const char *usage;        /* after "usage: leat " */
	const char *notes;        /* printed under the options; "" if none. An empty line parts paragraphs */
	unsigned bit;             /* C_... */
	int max_args;             /* -1: any number */
	int (*run)(struct cli *c); /* returns the exit code */
	struct cli_example examples[4]; /* command NULL: no more */
	const char *verdict;      /* when it exits with 1; NULL: never */
	const char *arguments;    /* what a shell offers for its arguments: "a|b|c", "" nothing, NULL files */
};
extern const struct leat_cmd *const leat_cmd_list[]; /* generated, NULL at the end */

/* ---- options.c ---- */
/* Fills c->value and c->args from environment and argv[0..argc). 0, or the exit code after the error was printed. */
int cli_parse(struct cli *c, int argc, char **argv);
void cli_free(struct cli *c);
/* Gives an option a value while the program runs; `text` must live as long as *v. 1, with what it is not in `why`, when
 * it is no value of this option. */
int cli_assign(struct cli_value *v, enum cli_option o, const char *text, char why[96]);
int cli_is_set(const struct cli *c, enum cli_option o);
/* Reads one number of an option whose range holds for each element of a list. 1 on failure, nothing printed. */
int cli_number(enum cli_option o, const char *text, double *ret);
const struct cli_option_row *cli_option_row(enum cli_option o);
const char *cli_option_name(enum cli_option o);
const char *cli_option_range(enum cli_option o);
int cli_option_applies(enum cli_option o, unsigned commands);
/* LEAT_... of the option into buf, "" if the environment does not reach it. */
void cli_option_env(enum cli_option o, char *buf, size_t cap);

/* ---- help.c ---- */
/* What leat's exit codes mean; what NULL at the end. */
struct cli_exit {
	int code;
	const char *what;
};
extern const struct cli_exit cli_exits[];
void cli_help_main(void);
void cli_help_command(const struct leat_cmd *cmd);
void cli_version(void);
extern const char cli_commit[]; /* what this build was made of: a short commit, or "unknown" */
/* The candidate nearest to `word`, NULL if none is near; candidates end with NULL. */
const char *cli_nearest(const char *word, const char *const *candidates);

/* ---- out.c: standard output and error ---- */
void cli_out(const void *data, size_t n);
void cli_puts(const char *s);
void cli_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_json_string(const char *s, size_t n); /* quoted and escaped; invalid UTF-8 becomes U+FFFD */
void cli_json_number(double v);                /* null when not finite */
int cli_is_utf8(const void *s, size_t n);
void cli_flush(void);
int cli_out_failed(void); /* 0, or the exit code: 141 (nobody reads) or 74 */
int cli_close_out(int exit_code); /* flushes; the failure of the output wins over success */
void cli_note(const struct cli *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3))); /* stderr, not with -q */
int cli_tty(int fd);
/* "5.2 MiB" */
const char *cli_bytes(uint64_t bytes, char buf[32]);

/* ---- errors ---- */
int cli_exit_code(int status, int from_flag);
/* Prints and returns the exit code. from_flag: an E_ARG is the fault of the command line (2), not of data (65). */
int cli_fail(const struct cli *c, const struct leat_error *e, int from_flag);
/* "leat: ..." + usage line, exit 2. */
int cli_usage_error(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An error of the program's own with a status. */
int cli_error(const struct cli *c, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- signals.c ---- */
/* SIGPIPE ignored; the first SIGINT, SIGTERM or SIGHUP sets a flag and cancels the watched request, the second kills.
 * SIGBUS from a mapped file that lost its pages: one line on standard error, exit 74. */
void cli_signals_init(void);
void cli_signals_json(int on); /* the line of SIGBUS is a JSON object */
int cli_signal(void); /* the signal that came, 0 if none */
void cli_watch(struct leat_request *r); /* NULL: none */
/* From now on the first signal asks to begin nothing new, the second to stop what runs, and the third ends the program.
 * Returns a descriptor that poll() finds readable after one, -1 if there is none to be had. */
int cli_drain_init(void);
int cli_drain_level(void); /* signals since then */
/* From now on Ctrl-C only cancels what is watched, and counts; the second within two seconds asks to leave. */
void cli_interrupts_init(void);
/* 1 if there was a Ctrl-C since the last call. */
int cli_interrupted(void);
int cli_wants_to_leave(void);

/* ---- trace.c ---- */
/* Runs the command, with --trace into a file. The exit code. */
int cli_run_traced(struct cli *c);

/* Says no (an exit code, told) if `path` is a file that is not empty and does not begin with `magic`, at most 16
 * bytes. */
int cli_may_replace(struct cli *c, const char *flag, const char *path, const char *magic);
/* Time of the phases of an answer's steps, for --verbose: reads what came to c->trace since the last call. */
enum cli_phase { CLI_LAUNCH, CLI_SUBMIT, CLI_WAIT, CLI_SAMPLE, CLI_STEP, CLI_N_PHASES };
struct cli_phases {
	uint64_t next;                            /* event */
	uint64_t now_ns[CLI_N_PHASES];            /* of the step that is being read */
	uint64_t sum_ns[2][CLI_N_PHASES];         /* of steps with more than one token, and of the others */
	int n[2];
};
void cli_phases_read(struct cli *c, struct cli_phases *p);
void cli_phases_print(const struct cli_phases *p);

/* ---- load.c ---- */
/* The model's path: --model, then the first argument (taken out of c->args), LEAT_MODEL, the demo model; NULL after the
 * error was printed (*ret_exit). Says on stderr which was chosen when nobody named one. */
const char *cli_model_path(struct cli *c, int use_demo, int *ret_exit);
int cli_open_model(struct cli *c, const char *path, uint32_t flags, struct leat_model **ret);
/* Engine with the shared flags; the caller fills what differs. Prints errors. */
void cli_engine_params(const struct cli *c, struct leat_engine_params *p);
uint32_t cli_isa_off(const struct cli *c); /* --isa as leat_engine_params.cpu_mask_off */
int cli_create_engine(struct cli *c, struct leat_model *m, const struct leat_engine_params *p,
		      struct leat_engine **ret);
void cli_arch_label(const struct leat_model_info *info, char buf[96]); /* "rwkv7 0.4B Q8_0" */
/* 1 if JSON text has at most so many levels and values: counted before a parser spends memory and stack on them. */
int cli_json_bounded(const char *s, size_t n, int max_depth, size_t max_values);
/* All of a file ("-": standard input); heap, NUL-terminated. Prints errors. */
int cli_read_text(struct cli *c, const char *path, char **ret, size_t *ret_n);
unsigned cli_text_flags(const struct cli *c);
/* Ids separated by commas, spaces or brackets; heap. Prints errors. */
int cli_parse_ids(struct cli *c, const char *text, size_t n, int32_t **ret, size_t *ret_n);

#endif
