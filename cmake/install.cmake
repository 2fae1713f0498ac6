# libleat.so, `cmake --install` (GNUInstallDirs, DESTDIR and --prefix honoured), leat.pc and the CMake package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The same objects as the archive's: they are position-independent, and everything but LEAT_API is hidden in both.
if(LEAT_SHARED)
	add_library(leat_shared SHARED $<TARGET_OBJECTS:libleat>)
	set(map "${PROJECT_SOURCE_DIR}/cmake/leat.map")
	set_target_properties(leat_shared PROPERTIES OUTPUT_NAME leat EXPORT_NAME leat LINKER_LANGUAGE C
		VERSION ${PROJECT_VERSION} SOVERSION ${LEAT_ABI_VERSION} LINK_DEPENDS "${map}")
	target_include_directories(leat_shared INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
		"$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
	target_link_libraries(leat_shared PRIVATE PkgConfig::LEAT_REQUIRED Threads::Threads m)
	# Nothing undefined, and no library that is not used.
	target_link_options(leat_shared PRIVATE "-Wl,--version-script=${map}" -Wl,-z,defs -Wl,--as-needed)
	# The objects come from another target: the linker must not run before they are there.
	add_dependencies(leat_shared libleat)
	install(TARGETS leat_shared EXPORT leatSharedTargets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()

set_target_properties(libleat PROPERTIES EXPORT_NAME leat_static)
install(TARGETS libleat EXPORT leatStaticTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET leat)
	install(TARGETS leat RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/leat" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
	FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/LICENSE"
	DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/examples" DESTINATION "${CMAKE_INSTALL_DOCDIR}" FILES_MATCHING PATTERN "*.c")

# leat.pc finds its tree from where it lies, so the tree may be moved; absolute folders stay where they are.
set(pc_folder "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
	set(LEAT_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
	set(LEAT_PC_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
else()
	file(RELATIVE_PATH up "/prefix/${pc_folder}" "/prefix")
	string(REGEX REPLACE "/$" "" up "${up}")
	set(LEAT_PC_PREFIX "\${pcfiledir}/${up}")
	set(LEAT_PC_LIBDIR "\${exec_prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
	set(LEAT_PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
else()
	set(LEAT_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
list(JOIN LEAT_REQUIRES ", " LEAT_PC_REQUIRES)
string(REPLACE ">=" " >= " LEAT_PC_REQUIRES "${LEAT_PC_REQUIRES}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/leat.pc.in" "${PROJECT_BINARY_DIR}/package/leat.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/leat.pc" DESTINATION "${pc_folder}")

set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/leat")
string(REPLACE ";" " " LEAT_REQUIRES "${LEAT_REQUIRES}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/leatConfig.cmake.in"
	"${PROJECT_BINARY_DIR}/package/leatConfig.cmake" INSTALL_DESTINATION "${package_folder}")
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/leatConfigVersion.cmake"
	VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/package/leatConfig.cmake"
	"${PROJECT_BINARY_DIR}/package/leatConfigVersion.cmake" DESTINATION "${package_folder}")
foreach(kind Shared Static)
	if(kind STREQUAL "Static" OR LEAT_SHARED)
		install(EXPORT leat${kind}Targets NAMESPACE leat:: DESTINATION "${package_folder}")
	endif()
endforeach()
