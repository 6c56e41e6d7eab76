/* A plugin that is in order, unless a definition before it says otherwise. */
#include "convscope.h"

#ifndef MAGIC
#define MAGIC CS_MAGIC
#endif
#ifndef MAJOR
#define MAJOR CS_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR CS_ABI_MINOR
#endif
#ifndef SIZE
#define SIZE sizeof(CsPlugin)
#endif
#ifndef ID
#define ID "org.example.test"
#endif
#ifndef ANALYSIS
#define ANALYSIS "look"
#endif
#ifndef SCHEMA
#define SCHEMA "{\"type\": \"object\", \"properties\": {}, \"additionalProperties\": false}"
#endif
#ifndef COUNT
#define COUNT 1
#endif
#ifndef RUN
#define RUN run
#endif
#ifndef RESULT
#define RESULT CS_OK
#endif
#ifndef INIT
#define INIT NULL
#endif
#ifndef ENTRY
#define ENTRY &plugin
#endif

CsStatus refuses(void);
CsStatus refuses(void) { return CS_FAILED; }

CsStatus run(const void *user, const CsHost *host, CsRun *context);
CsStatus run(const void *user, const CsHost *host, CsRun *context) {
    (void)user;
    (void)host;
    (void)context;
    return RESULT;
}

static const CsAnalysis analyses[2] = {
    {.struct_size = sizeof(CsAnalysis), .id = CS_STATIC_STR(ANALYSIS), .name = CS_STATIC_STR("Look"),
     .doc = CS_STATIC_STR("Looks\nat it.\n\nMore."), .params_schema = CS_STATIC_STR(SCHEMA), .run = RUN},
    {.struct_size = sizeof(CsAnalysis), .id = CS_STATIC_STR(ANALYSIS), .name = CS_STATIC_STR("Again"),
     .params_schema = CS_STATIC_STR(SCHEMA), .run = RUN},
};

static const CsPlugin plugin = {
    .magic = MAGIC, .abi_major = MAJOR, .abi_minor = MINOR, .struct_size = SIZE,
    .id = CS_STATIC_STR(ID), .name = CS_STATIC_STR("Test"), .version = CS_STATIC_STR("1.2.3"),
    .analyses = analyses, .analysis_count = COUNT, .init = INIT,
};

CS_EXPORT const CsPlugin *cs_plugin_entry(void);
CS_EXPORT const CsPlugin *cs_plugin_entry(void) {
    (void)plugin;
    return ENTRY;
}
