// The XML profile (--config): what the modelled machine is like.
//
//   <profile name="linux">
//     <machine cpus="4" memory="2G" hostname="starry"/>
//     <credentials uid="1000" gid="1000"/>
//     <environment> <set name="LANG" value="C"/> </environment>
//   </profile>
#pragma once

#include <string>

#include "tracer/options.h"

namespace starry {

// Reads `path` into `out`. Unknown elements and attributes are errors: StartError("FILE:LINE: ...").
void load_profile(const std::string& path, Options& out);

}  // namespace starry
