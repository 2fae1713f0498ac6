/* oracle.h - independent references from LEAT_ORACLE (default ../shared/oracle beside the tree), when they are there.
 */
#ifndef LEAT_TESTS_SUPPORT_ORACLE_H
#define LEAT_TESTS_SUPPORT_ORACLE_H

#include <stddef.h>
#include <stdint.h>

/* Path of a file under the oracle folder (static buffer, two calls deep), or NULL with a line 'skipped: ...' when
 * absent. */
const char *oracle_path(const char *relative);

/* Path inside the source tree (static buffer). */
const char *source_path(const char *relative);

/* Extracts `member` of a .tar.gz under the oracle folder into a folder of this test program's own; its path, or NULL.
 */
const char *oracle_untar(const char *archive, const char *member);

/* Whole file as bytes (free), NULL if unreadable. */
unsigned char *read_file(const char *path, size_t *ret_n);

/* f32 values of a raw file or of a .npy of float32 in C order (free). */
float *read_floats(const char *path, size_t *ret_n);

/* The integer array named "key" in a JSON text file, the first one after the word "section" (NULL: of all) (free). */
int32_t *read_json_ints(const char *path, const char *section, const char *key, size_t *ret_n);

/* Standard deviation of n values. */
double standard_deviation(const float *x, size_t n);

#endif
