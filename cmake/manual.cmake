# Manual pages and completions: made by the program's own tables, installed where man and the shells look.
#   leat.1, leat-COMMAND.1   mkman (cli/man) and scdoc     libleat.3   tools/gen_man3.sh, from the public headers
# LEAT_MAN: AUTO without scdoc makes no pages, ON demands it.
set(LEAT_MAN AUTO CACHE STRING "manual pages, which need scdoc: AUTO, ON, OFF")
set_property(CACHE LEAT_MAN PROPERTY STRINGS AUTO ON OFF)
find_program(SCDOC scdoc)
mark_as_advanced(SCDOC)
if(LEAT_MAN STREQUAL "ON" AND NOT SCDOC)
	message(FATAL_ERROR "LEAT_MAN is ON and there is no scdoc")
endif()

# The date on a page is the commit's, so that two builds of one commit are alike.
set(epoch "$ENV{SOURCE_DATE_EPOCH}")
if(NOT epoch AND LEAT_GIT AND EXISTS "${PROJECT_SOURCE_DIR}/.git")
	execute_process(COMMAND "${LEAT_GIT}" log -1 --format=%ct WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
		OUTPUT_VARIABLE epoch ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT epoch)
	file(TIMESTAMP "${PROJECT_SOURCE_DIR}/CMakeLists.txt" epoch "%s" UTC)
endif()

set(folder "${PROJECT_BINARY_DIR}/man")
set(pages "")
function(leat_page ret source page)
	get_filename_component(name "${page}" NAME)
	add_custom_command(OUTPUT "${page}"
		COMMAND ${CMAKE_COMMAND} -E env "SOURCE_DATE_EPOCH=${epoch}" "${SCDOC}" < "${source}" > "${page}"
		DEPENDS "${source}" COMMENT "man/${name}")
	set(${ret} ${${ret}} "${page}" PARENT_SCOPE)
endfunction()

if(SCDOC AND NOT LEAT_MAN STREQUAL "OFF" AND NOT CMAKE_CROSSCOMPILING)
	file(MAKE_DIRECTORY "${folder}")
	add_executable(mkman cli/man/mkman.c $<FILTER:$<TARGET_OBJECTS:leat>,EXCLUDE,/main\\.c\\.o$>)
	target_include_directories(mkman PRIVATE "${PROJECT_SOURCE_DIR}/cli")
	target_link_libraries(mkman PRIVATE libleat PkgConfig::EDIT PkgConfig::JANSSON)
	file(GLOB names CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/cli" "${PROJECT_SOURCE_DIR}/cli/cmd_*.c")
	list(TRANSFORM names REPLACE "^cmd_(.*)\\.c$" "\\1")
	foreach(name leat ${names})
		set(stem leat-${name})
		if(name STREQUAL "leat")
			set(stem leat)
		endif()
		add_custom_command(OUTPUT "${folder}/${stem}.1.scd" COMMAND mkman ${name} "${folder}/${stem}.1.scd"
			DEPENDS mkman COMMENT "man/${stem}.1.scd" VERBATIM)
		leat_page(pages "${folder}/${stem}.1.scd" "${folder}/${stem}.1")
	endforeach()
	install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
	set(made "${PROJECT_SOURCE_DIR}/tools/gen_man3.sh")
	file(GLOB headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/leat/*.h")
	add_custom_command(OUTPUT "${folder}/libleat.3.scd"
		COMMAND sh "${made}" "${PROJECT_SOURCE_DIR}" "${folder}/libleat.3.scd"
		DEPENDS "${made}" "${PROJECT_SOURCE_DIR}/docs/man/libleat.3.scd.in"
			${headers} "${PROJECT_SOURCE_DIR}/examples/generate.c"
		COMMENT "man/libleat.3.scd" VERBATIM)
	leat_page(pages "${folder}/libleat.3.scd" "${folder}/libleat.3")
	install(FILES "${folder}/libleat.3" DESTINATION "${CMAKE_INSTALL_MANDIR}/man3")
	add_custom_target(manual ALL DEPENDS ${pages})
elseif(NOT LEAT_MAN STREQUAL "OFF")
	message(STATUS "leat: no scdoc, no manual pages")
endif()

# Each shell has its own place and its own name for the file.
set(shells "")
foreach(row "bash|leat|bash-completion/completions" "zsh|_leat|zsh/site-functions"
		"fish|leat.fish|fish/vendor_completions.d")
	string(REPLACE "|" ";" row "${row}")
	list(GET row 0 shell)
	list(GET row 1 name)
	list(GET row 2 place)
	if(CMAKE_CROSSCOMPILING)
		break()
	endif()
	set(script "${PROJECT_BINARY_DIR}/completions/${name}")
	file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/completions")
	add_custom_command(OUTPUT "${script}" COMMAND leat completions ${shell} > "${script}" DEPENDS leat
		COMMENT "completions/${name}")
	list(APPEND shells "${script}")
	install(FILES "${script}" DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/${place}")
endforeach()
add_custom_target(completions ALL DEPENDS ${shells})
