// The system's library of archive formats.
#include <archive.h>
#include <archive_entry.h>

// The library's own takes a format and arguments, which Swift cannot pass.
static inline void archive_set_error_text(struct archive *archive, const char *text) {
    archive_set_error(archive, -1, "%s", text);
}
