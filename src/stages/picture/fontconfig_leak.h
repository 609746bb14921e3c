/* For test programs that draw: fontconfig keeps its configuration, once a process, until it ends,
 * and the leak sanitizer is told of it here. To be included by the program's one source. */
#ifndef AQM_PICTURE_FONTCONFIG_LEAK_H
#define AQM_PICTURE_FONTCONFIG_LEAK_H

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libfontconfig";
}

#endif
