// The parts of a profile that say what the modelled kernel has: <syscalls> and <files>.
#pragma once

#include "emulated_kernel/profile/profile.h"
#include "tracer/xml_reader.h"
#include "vfs/file_rules.h"

namespace starry {

// Reads <syscalls> over what an extended profile has said.
void read_calls(XmlReader& xml, pugi::xml_node n, profile::Profile& out);

// Reads one <file>.
FileRule read_file(XmlReader& xml, pugi::xml_node n);

}  // namespace starry
