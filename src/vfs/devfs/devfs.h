// devtmpfs: the file system on /dev. A tmpfs that starts with the nodes of devices.def, so that a
// privileged guest can make and remove nodes as on Linux. What a node opens is decided by its number
// (vfs/special.h), wherever the node is.
#pragma once

namespace starry {

// Registers the file system type "devtmpfs" and the memory devices (mem(4), null(4), random(4)).
// Once, at boot. Terminals are registered by tty_init().
void init_devfs();

}  // namespace starry
