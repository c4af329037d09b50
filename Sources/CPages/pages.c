// In C, as dl_iterate_phdr(3) is not among what Swift imports from glibc.
#define _GNU_SOURCE
#include "pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

// Runs under the dynamic linker's lock: no library can come or go meanwhile.
static int unmap_code(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size, (void)context;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (size_t index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        // A segment that can be written to, or could before it was relocated, is no copy of its file: it would be lost.
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
        // Only a hint: whatever is wrong, the pages stay.
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void pages_unmap_code(void) { dl_iterate_phdr(unmap_code, NULL); }
