# Debian's lwIP, driven through its raw API only; see lwip_port.cc.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LWIP REQUIRED IMPORTED_TARGET lwip)
target_link_libraries(netstack PUBLIC PkgConfig::LWIP)
