/* compare.c - see compare.h. */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_file(struct compare *x, const struct cli *c)
{
	struct stat st;
	int fd = open(x->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *p;

	if (fd < 0)
		return cli_error(c, errno == ENOENT ? LEAT_E_NOTFOUND : LEAT_E_IO, "%s: %s", x->path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size == 0) {
		close(fd);
		return cli_error(c, LEAT_E_FORMAT, "%s: not a file with rows", x->path);
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return cli_error(c, LEAT_E_IO, "%s: %s", x->path, strerror(errno));
	x->map = p;
	x->map_bytes = (size_t)st.st_size;
	return 0;
}

/* Where the data of a NumPy file begins (NEP 1), 0 if it is not little-endian float32 in C order. The header is a
 * Python dictionary; its three entries are looked for by name. The shape is left to the size, which has to agree with
 * it. */
static size_t npy_data(const unsigned char *p, size_t n, uint64_t *ret_elements)
{
	size_t begin, header, i;
	char text[512];
	const char *shape;
	uint64_t elements = 1;

	if (n < 12 || memcmp(p, "\x93NUMPY", 6))
		return 0;
	begin = p[6] == 1 ? 10 : 12;
	header = p[8] | (size_t)p[9] << 8;
	if (p[6] != 1)
		header |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
	if (header >= sizeof(text) || begin + header > n)
		return 0;
	memcpy(text, p + begin, header);
	text[header] = 0;
	shape = strstr(text, "'shape': (");
	if (!strstr(text, "'<f4'") || !strstr(text, "'fortran_order': False") || !shape)
		return 0;
	for (i = strlen("'shape': ("); shape[i] && shape[i] != ')';) {
		char *end;
		unsigned long long v = strtoull(shape + i, &end, 10);
		if (end == shape + i) {
			i++;
			continue;
		}
		if (v && elements > UINT64_MAX / v)
			return 0;
		elements *= v;
		i = (size_t)(end - shape);
	}
	*ret_elements = elements;
	return begin + header;
}

int compare_open(struct compare *x, const struct cli *c, const char *path, uint64_t n_rows, const int32_t wide[2])
{
	size_t skip = 0, n = strlen(path);
	uint64_t elements;
	int rc;

	x->path = path;
	rc = map_file(x, c);
	if (rc)
		return rc;
	elements = x->map_bytes / 4;
	if (n > 4 && !strcmp(path + n - 4, ".npy")) {
		skip = npy_data(x->map, x->map_bytes, &elements);
		if (!skip)
			return cli_error(c, LEAT_E_FORMAT, "%s: not a NumPy file of little-endian float32 in C order",
					 path);
	}
	if (elements > (x->map_bytes - skip) / 4 || elements * 4 != x->map_bytes - skip)
		return cli_error(c, LEAT_E_FORMAT,
				 "%s: %zu bytes of data, found no whole number of float32 as announced", path,
				 x->map_bytes - skip);
	x->width = elements / n_rows;
	if (elements % n_rows || (x->width != (uint64_t)wide[0] && x->width != (uint64_t)wide[1]))
		return cli_error(c, LEAT_E_MISMATCH, "%s holds %llu numbers, wanted %llu rows of %d", path,
				 (unsigned long long)elements, (unsigned long long)n_rows, (int)wide[0]);
	x->n_rows = n_rows;
	x->data = (const unsigned char *)x->map + skip;
	x->gaps = malloc(sizeof(*x->gaps) * (size_t)n_rows);
	x->row = malloc(sizeof(*x->row) * (size_t)x->width);
	return x->gaps && x->row ? 0 : cli_error(c, LEAT_E_NOMEM, "out of memory");
}

int compare_ranks_before(float a, float b)
{
	return a > b || (isnan(b) && !isnan(a));
}

/* Lowest id among the largest. */
static uint64_t best(const float *v, uint64_t n)
{
	uint64_t i, b = 0;

	for (i = 1; i < n; i++) {
		if (compare_ranks_before(v[i], v[b]))
			b = i;
	}
	return b;
}

static double gap(const float *v, uint64_t n, uint64_t top)
{
	float second = -INFINITY;
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (i != top && v[i] > second)
			second = v[i];
	}
	return (double)v[top] - (double)second;
}

void compare_row(struct compare *x, uint64_t index, const float *logits)
{
	uint64_t i, theirs;

	memcpy(x->row, x->data + index * x->width * 4, x->width * 4);
	for (i = 0; i < x->width; i++) {
		double r = (double)x->row[i], d = fabs((double)logits[i] - r), step = r - x->mean;
		/* Not a number must not look like agreement. */
		if (isnan(d))
			d = (double)INFINITY;
		if (d > x->max_diff) {
			x->max_diff = d;
			x->max_row = index;
			x->max_column = i;
		}
		if (x->rtol >= 0 && !(d <= x->atol + x->rtol * fabs(r)))
			x->outside++;
		x->n++;
		x->mean += step / (double)x->n;
		x->m2 += step * (r - x->mean);
	}
	theirs = best(x->row, x->width);
	if (best(logits, x->width) == theirs)
		x->ids_equal++;
	else
		x->gaps[x->n_gaps++] = gap(x->row, x->width, theirs);
	x->rows++;
}

double compare_deviation(const struct compare *x)
{
	return x->n ? sqrt(x->m2 / (double)x->n) : 0;
}

double compare_e(const struct compare *x)
{
	double s = compare_deviation(x);

	if (x->max_diff == 0)
		return 0;
	return s > 0 ? x->max_diff / s : (double)INFINITY;
}

uint64_t compare_ids_beyond(const struct compare *x, double bound)
{
	uint64_t i, n = 0;

	for (i = 0; i < x->n_gaps; i++)
		n += !(x->gaps[i] <= 2 * bound * compare_deviation(x));
	return n;
}

void compare_close(struct compare *x)
{
	if (x->map)
		munmap((void *)(uintptr_t)x->map, x->map_bytes);
	free(x->gaps);
	free(x->row);
}
