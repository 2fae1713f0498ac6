# leat_commit(RET): the commit of this tree, "unknown" without git or outside a repository of its own (an archive that
# was unpacked inside another project must not bear that project's name). A new commit configures again. Twelve digits
# whatever the clone holds, so that two builds of one commit are alike.
function(leat_commit ret)
	set(commit unknown)
	find_program(LEAT_GIT git)
	mark_as_advanced(LEAT_GIT)
	if(LEAT_GIT AND EXISTS "${PROJECT_SOURCE_DIR}/.git")
		execute_process(COMMAND "${LEAT_GIT}" rev-parse --short=12 HEAD
			WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
			OUTPUT_VARIABLE found RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
		if(NOT failed AND found MATCHES "^[0-9a-f]+$")
			set(commit "${found}")
		endif()
		execute_process(COMMAND "${LEAT_GIT}" rev-parse --git-path logs/HEAD
			WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
			OUTPUT_VARIABLE log RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
		get_filename_component(log "${log}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
		if(NOT failed AND EXISTS "${log}" AND NOT IS_DIRECTORY "${log}")
			set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${log}")
		endif()
	endif()
	set(${ret} "${commit}" PARENT_SCOPE)
endfunction()
