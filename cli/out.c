/* out.c - standard output through one buffer that notices failure; messages on standard error. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static char buffer[1 << 16];
static size_t used;
static int out_errno;

void cli_flush(void)
{
	size_t done = 0;

	while (done < used && !out_errno) {
		ssize_t n = write(1, buffer + done, used - done);
		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			out_errno = errno;
	}
	used = 0;
}

void cli_out(const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		size_t m = sizeof(buffer) - used;
		if (m > n)
			m = n;
		memcpy(buffer + used, p, m);
		used += m;
		p += m;
		n -= m;
		if (used == sizeof(buffer))
			cli_flush();
	}
}

void cli_puts(const char *s)
{
	cli_out(s, strlen(s));
}

void cli_printf(const char *fmt, ...)
{
	char small[512], *text = small;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(small)) {
		text = malloc((size_t)n + 1);
		if (!text) {
			out_errno = ENOMEM;
			return;
		}
		va_start(ap, fmt);
		vsnprintf(text, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	if (n > 0)
		cli_out(text, (size_t)n);
	if (text != small)
		free(text);
}

int cli_out_failed(void)
{
	if (!out_errno)
		return 0;
	return out_errno == EPIPE ? EXIT_SIGPIPE : EXIT_IOERR;
}

int cli_close_out(int exit_code)
{
	cli_flush();
	/* A full network disk may say so only here. EBADF: there never was a standard output, and nothing was written.
	 */
	if (!out_errno && close(1) && errno != EBADF)
		out_errno = errno;
	if (!out_errno)
		return exit_code;
	if (out_errno != EPIPE)
		fprintf(stderr, "leat: standard output: %s\n", strerror(out_errno));
	return exit_code ? exit_code : cli_out_failed();
}

/* ---- JSON ---- */

/* Bytes of the well-formed UTF-8 character at s (Unicode, table 3-7), 0 if there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	size_t need, i;
	unsigned lo = 0x80, hi = 0xbf;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	need = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (need > n)
		return 0;
	if (s[0] == 0xe0)
		lo = 0xa0;
	if (s[0] == 0xed)
		hi = 0x9f;
	if (s[0] == 0xf0)
		lo = 0x90;
	if (s[0] == 0xf4)
		hi = 0x8f;
	for (i = 1; i < need; i++, lo = 0x80, hi = 0xbf) {
		if (s[i] < lo || s[i] > hi)
			return 0;
	}
	return need;
}

int cli_is_utf8(const void *bytes, size_t n)
{
	const unsigned char *s = bytes;
	size_t m;

	for (; n; s += m, n -= m) {
		m = utf8_length(s, n);
		if (!m)
			return 0;
	}
	return 1;
}

/* The character at s as JSON into buf; returns the bytes of input used. */
static size_t json_character(const unsigned char *s, size_t n, char buf[8])
{
	size_t m = utf8_length(s, n);

	if (!m) {
		snprintf(buf, 8, "\xef\xbf\xbd");
		return 1;
	}
	if (s[0] == '"' || s[0] == '\\')
		snprintf(buf, 8, "\\%c", s[0]);
	else if (s[0] == '\n')
		snprintf(buf, 8, "\\n");
	else if (s[0] < 0x20 || s[0] == 0x7f)
		snprintf(buf, 8, "\\u%04x", s[0]);
	else
		snprintf(buf, 8, "%.*s", (int)m, (const char *)s);
	return m;
}

void cli_json_string(const char *s, size_t n)
{
	char c[8];
	size_t i;

	cli_puts("\"");
	for (i = 0; i < n;) {
		i += json_character((const unsigned char *)s + i, n - i, c);
		cli_puts(c);
	}
	cli_puts("\"");
}

void cli_json_number(double v)
{
	if (isfinite(v))
		cli_printf("%.9g", v);
	else
		cli_puts("null");
}

/* ---- standard error ---- */

int cli_tty(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && !(term && !strcmp(term, "dumb"));
}

void cli_note(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet || c->json)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

const char *cli_bytes(uint64_t bytes, char buf[32])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	int i = 0;

	while (v >= 1024 && i < 4) {
		v /= 1024;
		i++;
	}
	snprintf(buf, 32, i ? "%.1f %s" : "%.0f %s", v, unit[i]);
	return buf;
}

int cli_exit_code(int status, int from_flag)
{
	switch (status) {
	case LEAT_OK:
		return 0;
	case LEAT_E_ARG:
		return from_flag ? EXIT_USAGE : EXIT_DATA;
	case LEAT_E_CONTEXT:
	case LEAT_E_FORMAT:
	case LEAT_E_UNSUPPORTED:
	case LEAT_E_MISMATCH:
		return EXIT_DATA;
	case LEAT_E_NOTFOUND:
		return EXIT_NOINPUT;
	case LEAT_E_LIMIT:
	case LEAT_E_NOMEM:
	case LEAT_E_DEVICE:
		return EXIT_UNAVAILABLE;
	case LEAT_E_BUSY:
	case LEAT_E_TIMEOUT:
		return EXIT_TEMPFAIL;
	case LEAT_E_CANCELLED:
		return cli_signal() ? 128 + cli_signal() : EXIT_SIGINT;
	case LEAT_E_IO:
		return EXIT_IOERR;
	default:
		return EXIT_SOFTWARE;
	}
}

static void json_to_stderr(const char *s)
{
	char c[8];
	size_t i, n = strlen(s);

	fputc('"', stderr);
	for (i = 0; i < n;) {
		i += json_character((const unsigned char *)s + i, n - i, c);
		fputs(c, stderr);
	}
	fputc('"', stderr);
}

int cli_fail(const struct cli *c, const struct leat_error *e, int from_flag)
{
	int code = cli_exit_code(e->status, from_flag);

	cli_flush();
	if (e->status == LEAT_E_CANCELLED && cli_signal())
		return code;
	if (!c || !c->json) {
		fprintf(stderr, "leat: %s\n", e->message);
		return code;
	}
	fputs("{\"schema\":\"leat.error/1\",\"error\":{\"code\":", stderr);
	json_to_stderr(e->code);
	fputs(",\"message\":", stderr);
	json_to_stderr(e->message);
	fputs(",\"where\":", stderr);
	json_to_stderr(e->where);
	if (e->offset != UINT64_MAX)
		fprintf(stderr, ",\"offset\":%llu", (unsigned long long)e->offset);
	fprintf(stderr, ",\"status\":%d,\"exit\":%d}}\n", (int)e->status, code);
	return code;
}

/* Bytes of arguments and file names may hold anything; a message shows control bytes as \xNN. */
static void printable(char *dst, size_t cap, const char *src)
{
	size_t o = 0;
	const unsigned char *s = (const unsigned char *)src;
	size_t n = strlen(src);

	while (n && o + 5 < cap) {
		size_t m = utf8_length(s, n);
		if (!m || s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0)) {
			snprintf(dst + o, 5, "\\x%02x", s[0]);
			o += 4;
			m = 1;
		} else {
			memcpy(dst + o, s, m);
			o += m;
		}
		s += m;
		n -= m;
	}
	dst[o] = 0;
}

static void fill_error(struct leat_error *e, int status, const char *code, const char *fmt, va_list ap)
{
	char raw[sizeof(e->message)];

	e->status = status;
	e->offset = UINT64_MAX;
	vsnprintf(raw, sizeof(raw), fmt, ap);
	printable(e->message, sizeof(e->message), raw);
	snprintf(e->code, sizeof(e->code), "%s", code);
}

int cli_usage_error(const struct cli *c, const char *fmt, ...)
{
	struct leat_error e = LEAT_ERROR_INIT;
	va_list ap;

	va_start(ap, fmt);
	fill_error(&e, LEAT_E_ARG, "invalid_value", fmt, ap);
	va_end(ap);
	cli_fail(c, &e, 1);
	if (c && c->json)
		return EXIT_USAGE;
	if (c && c->cmd)
		fprintf(stderr, "usage: leat %s\ntry 'leat %s --help'\n", c->cmd->usage, c->cmd->name);
	else
		fputs("usage: leat COMMAND [ARGUMENTS]\ntry 'leat --help'\n", stderr);
	return EXIT_USAGE;
}

int cli_error(const struct cli *c, int status, const char *fmt, ...)
{
	static const struct {
		int status;
		const char *code;
	} words[] = {
		{LEAT_E_NOTFOUND, "model_not_found"}, {LEAT_E_IO, "model_io_error"}, {LEAT_E_NOMEM, "out_of_memory"},
		{LEAT_E_LIMIT, "limit_exceeded"},     {LEAT_E_ARG, "invalid_value"}, {LEAT_E_CANCELLED, "cancelled"},
		{LEAT_E_FORMAT, "invalid_file"},      {LEAT_E_MISMATCH, "mismatch"},
		{LEAT_E_NONFINITE, "model_nonfinite"}, {0, "internal_error"},
	};
	struct leat_error e = LEAT_ERROR_INIT;
	va_list ap;
	int i = 0;

	while (words[i].status && words[i].status != status)
		i++;
	va_start(ap, fmt);
	fill_error(&e, status, words[i].code, fmt, ap);
	va_end(ap);
	return cli_fail(c, &e, 0);
}
