// Derives from the table of system calls what the stub copies along with each call.
#pragma once

namespace starry {

// Writes the InfoPage's precopy table through the shared memory object.
void fill_precopy_table(int info_fd);

}  // namespace starry
