# Fuzz targets: tests/fuzz/fuzz_X.c -> build-fuzz/fuzz/X, with seeds in tests/fuzz/corpus/X/ if there are any.
if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
	message(FATAL_ERROR "LEAT_FUZZ needs clang (libFuzzer): use the preset 'fuzz'")
endif()
file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c")
file(GLOB support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/support/*.c"
	"${PROJECT_SOURCE_DIR}/tests/hostile/mkbad.c")
# The library itself reports coverage to the fuzzer too.
target_compile_options(libleat PRIVATE -fsanitize=fuzzer-no-link)
foreach(source IN LISTS sources)
	get_filename_component(stem "${source}" NAME_WE)
	string(REGEX REPLACE "^fuzz_" "" name "${stem}")
	add_executable(${stem} "${source}" ${support})
	set_target_properties(${stem} PROPERTIES OUTPUT_NAME ${name}
		RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
	target_include_directories(${stem} PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests"
		"${PROJECT_BINARY_DIR}")
	target_compile_options(${stem} PRIVATE -fsanitize=fuzzer)
	target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
	target_link_libraries(${stem} PRIVATE libleat)
endforeach()
