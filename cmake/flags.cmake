# Flags of every object: C11, warnings, floating-point rules, sanitizers. Target: leat_flags.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# -O2 everywhere; files of kernels ask for -O3 themselves (isa.cmake). Never -march=native: the build must run
# elsewhere.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")

add_library(leat_flags INTERFACE)
target_compile_definitions(leat_flags INTERFACE _GNU_SOURCE)
target_compile_options(leat_flags INTERFACE
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
	# A compiler may not fuse a*b+c on its own: results must not depend on which compiler built leat.
	-ffp-contract=off -fno-math-errno
	-fvisibility=hidden
	# No path of the build machine in messages, asserts and debug data.
	"-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=" "-ffile-prefix-map=${PROJECT_BINARY_DIR}/=")
# The folder of compilation stands in debug data. Inside the tree the maps above make it relative.
cmake_path(IS_PREFIX PROJECT_SOURCE_DIR "${PROJECT_BINARY_DIR}" inside)
if(NOT inside)
	target_compile_options(leat_flags INTERFACE "-ffile-prefix-map=${PROJECT_BINARY_DIR}=.")
endif()
if(LEAT_WERROR)
	target_compile_options(leat_flags INTERFACE -Werror)
endif()

if(LEAT_SANITIZE)
	target_compile_options(leat_flags INTERFACE "-fsanitize=${LEAT_SANITIZE}" -fno-omit-frame-pointer)
	target_link_options(leat_flags INTERFACE "-fsanitize=${LEAT_SANITIZE}")
	if(LEAT_SANITIZE MATCHES "undefined")
		# A finding ends the program, so that a test cannot pass over it.
		target_compile_options(leat_flags INTERFACE -fno-sanitize-recover=all)
	endif()
	if(LEAT_SANITIZE MATCHES "thread" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
		# gcc warns that the thread sanitizer does not model atomic_thread_fence.
		target_compile_options(leat_flags INTERFACE -Wno-tsan)
	endif()
endif()
