# Tests: every file of a test folder is found by name; a new file needs no line here.
#   tests/unit/ROOM/test_X.c -> unit.ROOM.X     tests/{golden,conform,invariance,stress}/test_X.c -> golden.X ...
#   tests/hostile/test_X.c -> hostile.X     tests/torture/test_X.c -> torture.X
#   tests/kernels/*.c -> kerncheck, one program     tests/cli/X.sh -> cli.X     tests/gates/run.sh -> gates
#   tests/outside/X.sh -> outside.X
# Labels: the kind; `long` for names ending in _long (./dev test --long); `threads` for what the thread sanitizer runs.
# Exit 77 means skipped.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(LEAT_ORACLE "${PROJECT_SOURCE_DIR}/../shared/oracle" CACHE PATH "independent references, may be absent")
set(LEAT_TEST_ENV "LEAT_ORACLE=${LEAT_ORACLE}" "LEAT_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
	"LEAT=${PROJECT_BINARY_DIR}/leat" "LEAT_BUILD_DIR=${PROJECT_BINARY_DIR}"
	"UBSAN_OPTIONS=print_stacktrace=1"
	# malloc of an absurd size returns NULL, as it does for users.
	"ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1:allocator_may_return_null=1"
	"TSAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1")
set(LEAT_THREAD_TESTS "(^(unit\\.engine|golden|conform|invariance|stress)\\.|\\.(pool|ring|queue|threads?)(_|$))")

file(GLOB LEAT_SUPPORT_SOURCES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.c")

# What every test may see: all rooms, the support library, the generated lists.
add_library(leat_test_base INTERFACE)
target_include_directories(leat_test_base INTERFACE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests"
	"${PROJECT_BINARY_DIR}")
target_link_libraries(leat_test_base INTERFACE libleat PkgConfig::CMOCKA Threads::Threads m)
if(LEAT_SUPPORT_SOURCES)
	add_library(leat_test_support STATIC ${LEAT_SUPPORT_SOURCES})
	target_link_libraries(leat_test_support PUBLIC leat_test_base)
	set(LEAT_TEST_LIBS leat_test_support)
else()
	set(LEAT_TEST_LIBS leat_test_base)
endif()

function(leat_test_properties name kind)
	set(labels ${kind})
	set(timeout 300)
	if(LEAT_SANITIZE)
		set(timeout 900)
	endif()
	if(name MATCHES "_long$")
		list(APPEND labels long)
		set(timeout 3600)
	endif()
	if(name MATCHES "${LEAT_THREAD_TESTS}")
		list(APPEND labels threads)
	endif()
	set_tests_properties(${name} PROPERTIES ENVIRONMENT "${LEAT_TEST_ENV}" LABELS "${labels}" TIMEOUT ${timeout}
		SKIP_RETURN_CODE 77 WORKING_DIRECTORY "${PROJECT_BINARY_DIR}")
endfunction()

function(leat_test_program name kind)
	string(REPLACE "." "_" target "${name}")
	add_executable(${target} ${ARGN})
	set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
	target_link_libraries(${target} PRIVATE ${LEAT_TEST_LIBS})
	add_test(NAME ${name} COMMAND ${target})
	leat_test_properties(${name} ${kind})
endfunction()

file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/unit/*/test_*.c")
foreach(source IN LISTS sources)
	get_filename_component(stem "${source}" NAME_WE)
	get_filename_component(folder "${source}" DIRECTORY)
	get_filename_component(room "${folder}" NAME)
	string(REGEX REPLACE "^test_" "" stem "${stem}")
	set(made)
	if(room STREQUAL "model") # on model files made in memory
		set(made "${PROJECT_SOURCE_DIR}/tests/hostile/mkbad.c")
	endif()
	leat_test_program(unit.${room}.${stem} unit "${source}" ${made})
endforeach()

foreach(kind golden conform invariance stress)
	file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${kind}/test_*.c")
	foreach(source IN LISTS sources)
		get_filename_component(stem "${source}" NAME_WE)
		string(REGEX REPLACE "^test_" "" stem "${stem}")
		set(made)
		if(stem MATCHES "64$")
			set(made "${PROJECT_SOURCE_DIR}/tests/hostile/mkbad.c")
		endif()
		leat_test_program(${kind}.${stem} ${kind} "${source}" ${made})
	endforeach()
endforeach()

# Rows of the matrix of hostile files; what is not test_*.c there is shared by them.
file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/hostile/test_*.c")
file(GLOB shared CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/hostile/*.c")
list(FILTER shared EXCLUDE REGEX "/test_[^/]*$")
foreach(source IN LISTS sources)
	get_filename_component(stem "${source}" NAME_WE)
	string(REGEX REPLACE "^test_" "" stem "${stem}")
	leat_test_program(hostile.${stem} hostile "${source}" ${shared})
endforeach()

# Every call of the system fails in turn; life.c is shared by them.
file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/torture/test_*.c")
foreach(source IN LISTS sources)
	get_filename_component(stem "${source}" NAME_WE)
	string(REGEX REPLACE "^test_" "" stem "${stem}")
	leat_test_program(torture.${stem} torture "${source}" "${PROJECT_SOURCE_DIR}/tests/torture/life.c")
	target_include_directories(torture_${stem} PRIVATE "${PROJECT_SOURCE_DIR}/tests/torture")
endforeach()

file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/kernels/*.c")
if(sources)
	leat_test_program(kerncheck kernels ${sources})
endif()

file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/cli/*.sh")
foreach(source IN LISTS sources)
	get_filename_component(stem "${source}" NAME_WE)
	if(TARGET leat)
		add_test(NAME cli.${stem} COMMAND sh "${source}")
		leat_test_properties(cli.${stem} cli)
	endif()
endforeach()

# The examples are built as a user would: the public header alone. cli.examples runs them.
file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")
foreach(source IN LISTS sources)
	get_filename_component(stem "${source}" NAME_WE)
	add_executable(example_${stem} "${source}")
	set_target_properties(example_${stem} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
	target_link_libraries(example_${stem} PRIVATE libleat)
endforeach()

# What others see of leat: installed files, header, manual pages, shells. The compiler and the tools are the test's own
# here, so a build with sanitizers adds nothing.
file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/outside/*.sh")
foreach(source IN LISTS sources)
	get_filename_component(stem "${source}" NAME_WE)
	if(TARGET leat AND NOT LEAT_SANITIZE)
		add_test(NAME outside.${stem} COMMAND sh "${source}")
		leat_test_properties(outside.${stem} outside)
	endif()
endforeach()

if(EXISTS "${PROJECT_SOURCE_DIR}/tests/gates/run.sh")
	add_test(NAME gates COMMAND sh "${PROJECT_SOURCE_DIR}/tests/gates/run.sh")
	leat_test_properties(gates gates)
endif()
