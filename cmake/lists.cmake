# Generated lists: a new file in a folder is all the registration it needs (tools/gen_list.sh says what each list
# holds). The names stand on the command line, so Ninja runs a list again exactly when a file comes or goes.
set(LEAT_LIST_SOURCES "")
set(LEAT_LIST_HEADERS "")
set(LEAT_CLI_LIST_SOURCES "")

# leat_list(RET_LIST KIND OUTPUT GLOB PREFIX): gen/OUTPUT from the stems of GLOB less PREFIX; appends its path to
# RET_LIST.
function(leat_list ret_list kind output glob prefix)
	file(GLOB files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${glob}")
	set(names "")
	foreach(file IN LISTS files)
		get_filename_component(stem "${file}" NAME_WE)
		if(prefix)
			string(REGEX REPLACE "^${prefix}" "" stem "${stem}")
		endif()
		list(APPEND names "${stem}")
	endforeach()
	if(kind MATCHES "^quant")
		list(REMOVE_ITEM names quant k_scales) # no formats
	endif()
	if(kind STREQUAL "backend")
		# The folder of a backend.c names the backend.
		list(TRANSFORM files REPLACE "^.*/([^/]+)/backend\\.c$" "\\1" OUTPUT_VARIABLE names)
	endif()
	list(SORT names)
	set(script "${PROJECT_SOURCE_DIR}/tools/gen_list.sh")
	set(path "${PROJECT_BINARY_DIR}/gen/${output}")
	add_custom_command(OUTPUT "${path}" COMMAND sh "${script}" "${kind}" "${path}" ${names}
		DEPENDS "${script}" COMMENT "gen/${output}" VERBATIM)
	set(${ret_list} ${${ret_list}} "${path}" PARENT_SCOPE)
endfunction()

leat_list(LEAT_LIST_SOURCES arch arch_list.c "src/arch/*.c" "")
leat_list(LEAT_LIST_SOURCES format format_list.c "src/format/fmt_*.c" "fmt_")
leat_list(LEAT_LIST_SOURCES sampler sampler_list.c "src/sample/s_*.c" "s_")
leat_list(LEAT_LIST_SOURCES template template_list.c "src/text/template_*.c" "template_")
leat_list(LEAT_LIST_SOURCES backend backend_list.c "src/*/backend.c" "")
leat_list(LEAT_LIST_SOURCES bench bench_list.c "src/bench/mode_*.c" "mode_")
leat_list(LEAT_LIST_HEADERS quant-def quant_formats.def "src/quant/*.h" "")
leat_list(LEAT_LIST_HEADERS quant-all quant_all.h "src/quant/*.h" "")
leat_list(LEAT_CLI_LIST_SOURCES cmd cmd_list.c "cli/cmd_*.c" "cmd_")
