# The libraries that libleat stands on, by their pkg-config names (NAME or NAME>=VERSION). This is the one list: the
# build links them, and the installed leat.pc and CMake package name them to who links the archive.
set(LEAT_REQUIRES
	jansson>=2.14
	libpcre2-8
	libutf8proc)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LEAT_REQUIRED REQUIRED IMPORTED_TARGET ${LEAT_REQUIRES})
# Headers only: XXH3 is compiled into src/base/hash.c.
find_path(LEAT_XXHASH xxhash.h REQUIRED)
