// The XML profile (--config): what the modelled machine and its kernel are like. config/README.md is its
// manual.
//
//   <profile name="board" extends="linux">
//     <machine cpus="4" memory="2G" hostname="starry" release="5.10"/>
//     <credentials uid="1000" gid="1000"/>
//     <limits stack="256K" nofile="256:1024"/>
//     <environment> <set name="LANG" value="C"/> </environment>
//     <syscalls default="emulate">
//       <call name="rseq" result="ENOSYS"/>
//       <call name="ioctl"> <when cmd="FIONBIO" result="0"/> </call>
//     </syscalls>
//     <files> <file path="/proc/filesystems" result="ENOENT"/> </files>
//   </profile>
#pragma once

#include <string>

#include "tracer/options.h"

namespace starry {

// Reads a profile, and before it those that it extends, into `out`. `name` is a path or the name of a
// profile in the config folder. Everything that is not understood is a StartError("FILE:LINE: ...").
void load_profile(const std::string& name, Options& out);

}  // namespace starry
