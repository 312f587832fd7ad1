/*
 * Two entry points of an SQLite extension, which have nothing to do with the connection that loads it: one opens the file that
 * SECOND_LIBRARY_FILE names with the system's SQLite library and reads it, as another driver in the same process does; the
 * other closes it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

static void *library, *database;

int open_second(void) {
  library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (library == NULL) return 1;
  int (*open)(const char *, void **) = (int (*)(const char *, void **))dlsym(library, "sqlite3_open");
  int (*exec)(void *, const char *, void *, void *, char **) =
      (int (*)(void *, const char *, void *, void *, char **))dlsym(library, "sqlite3_exec");
  if (open(getenv("SECOND_LIBRARY_FILE"), &database) != 0) return 1;
  return exec(database, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
}

int close_second(void) {
  return ((int (*)(void *))dlsym(library, "sqlite3_close"))(database);
}
