# Debian's lwIP, driven through its raw API only; see lwip_port.cc.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LWIP REQUIRED IMPORTED_TARGET lwip)
target_link_libraries(netstack PUBLIC PkgConfig::LWIP)
# This one uses the kernel's names for interfaces, the others the C library's.
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/netstack/rtnetlink.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
