/* Paths as text: joined, made absolute, made relative. Symbolic links are not followed. */
#ifndef AQM_CONFIG_CONFIG_PATHS_H
#define AQM_CONFIG_CONFIG_PATHS_H

/* The folder part of `path`, with the slash ("" where there is none). NULL = out of memory. Free
 * with aqm_free, as all below. */
char *aqm_path_folder(const char *path);
/* `path` seen from `folder` (with its slash, or ""): joined unless `path` is absolute. */
char *aqm_path_join(const char *folder, const char *path);
/* Absolute, with "." and double slashes taken out; ".." stays. */
char *aqm_path_absolute(const char *path);
/* Relative to `folder` where it lies below it or is it ("."), else absolute; `folder` NULL =
 * absolute. */
char *aqm_path_relative(const char *path, const char *folder);

#endif
