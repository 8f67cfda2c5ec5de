// --report FILE.json: what the programs used of the kernel, and what was missing (usage.h).
#pragma once

#include <string>
#include <vector>

namespace starry {

// Makes sure that the file can be written. StartError.
void check_report(const std::string& path);

// Writes the report at the end of the run; a failure is a message, no more.
void write_report(const std::string& path, const std::vector<std::string>& command, int status);

}  // namespace starry
