#pragma once

/// Unmaps every page of the executable and its libraries that is the same as in its file: code and constants. A page that
/// is used again is mapped again, out of the kernel's cache, by a fault of a microsecond for 64 KB.
/// Breakpoints that a debugger has set before are lost with their pages.
void pages_unmap_code(void);
