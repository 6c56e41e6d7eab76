/* Analyses that use, and misuse, what the host offers. */
#include "convscope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT(literal) CS_STR(literal)

typedef struct {
    const CsHost *host;
    CsRun *run;
    const CsTensorApi *tensor;
    const CsModelApi *model;
    const CsDatasetApi *dataset;
    CsModel current;
    CsDataset images;
} Context;

static CsStr text_of(const char *words) {
    CsStr text = {(const uint8_t *)words, strlen(words)};
    return text;
}

static CsStatus fail(Context *c, const char *words) {
    c->host->set_error(c->run, text_of(words));
    return CS_FAILED;
}

static CsStatus pass_on(Context *c, CsStatus status) {
    c->host->set_error(c->run, c->host->last_error(c->run));
    return status;
}

static CsStatus start(Context *c, const CsHost *host, CsRun *run) {
    c->host = host;
    c->run = run;
    c->tensor = host->get_extension(TEXT(CS_TENSOR_EXTENSION));
    c->model = host->get_extension(TEXT(CS_MODEL_EXTENSION));
    c->dataset = host->get_extension(TEXT(CS_DATASET_EXTENSION));
    if (host->get_extension(TEXT("convscope.nothing/1"))) return fail(c, "an extension that is none");
    CsStatus status = c->model->current(run, &c->current);
    if (status != CS_OK) return pass_on(c, status);
    status = host->param_handle(run, TEXT("images"), 0, CS_PARAM_DATASET, &c->images);
    return status == CS_OK ? CS_OK : pass_on(c, status);
}

/* ---- scores: every image's scores, and the signal of its first class ---- */

typedef struct {
    Context *context;
    float *values;
    uint64_t each;
    uint64_t calls;
} Copy;

static CsStatus copy(void *user, uint64_t first, uint64_t count, const CsTensor *tensors, size_t n) {
    Copy *copy = user;
    Context *c = copy->context;
    CsView view;
    if (n != 1) return fail(c, "one capture has one tensor");
    if (c->tensor->map(c->run, tensors[0], CS_READ, &view) != CS_OK) return pass_on(c, CS_FAILED);
    if (view.shape[0] != count || view.dtype != CS_F32) return fail(c, "another shape");
    memcpy(copy->values + first * copy->each, view.data, count * copy->each * sizeof(float));
    copy->calls++;
    return c->tensor->unmap(c->run, tensors[0]);
}

static CsStatus emit(Context *c, const char *name, const char *meta, CsTensor tensor) {
    CsStatus status = c->host->emit(c->run, CS_EMIT_ARRAY, text_of(name), text_of(meta), tensor);
    return status == CS_OK ? CS_OK : pass_on(c, status);
}

static CsStatus scores(const void *user, const CsHost *host, CsRun *run) {
    (void)user;
    Context c;
    CsStatus status = start(&c, host, run);
    if (status != CS_OK) return status;
    uint64_t count, shape[4];
    CsTensor result;
    CsView view;
    CsImages images = {.dataset = c.images};
    if (c.dataset->len(run, c.images, &count) != CS_OK) return pass_on(&c, CS_FAILED);

    shape[0] = count;
    shape[1] = 5;
    if (c.tensor->create(run, CS_F32, 2, shape, &result) != CS_OK) return pass_on(&c, CS_FAILED);
    if (c.tensor->map(run, result, CS_WRITE, &view) != CS_OK) return pass_on(&c, CS_FAILED);
    Copy kept = {&c, view.data, 5, 0};
    status = c.model->observe(run, c.current, &images, TEXT(""), TEXT("[{\"value\": \"scores\"}]"), copy,
                              &kept);
    if (status != CS_OK) return pass_on(&c, status);
    c.tensor->unmap(run, result);
    status = emit(&c, "score", "{\"axes\": [{\"name\": \"image\"}, {\"name\": \"class\"}]}", result);
    if (status != CS_OK) return status;

    shape[0] = 1;
    shape[1] = 2;
    shape[2] = shape[3] = 12;
    if (c.tensor->create(run, CS_F32, 4, shape, &result) != CS_OK) return pass_on(&c, CS_FAILED);
    if (c.tensor->map(run, result, CS_WRITE, &view) != CS_OK) return pass_on(&c, CS_FAILED);
    Copy signal = {&c, view.data, 2 * 12 * 12, 0};
    int64_t class;
    if (host->param_i64(run, TEXT("target"), &class) != CS_OK) return pass_on(&c, CS_FAILED);
    char starts[100];
    snprintf(starts, sizeof starts, "[{\"image\": 0, \"value\": \"scores\", \"channel\": %d}]", (int)class);
    status = c.model->attribute(run, c.current, &images, text_of(starts), TEXT("{\"rules\": []}"), TEXT(""),
                                copy, &signal);
    if (status != CS_OK) return pass_on(&c, status);
    c.tensor->unmap(run, result);
    status = emit(&c, "signal",
                  "{\"axes\": [{\"name\": \"start\"}, {\"name\": \"channel\"}, {\"name\": \"row\"}, "
                  "{\"name\": \"column\"}]}",
                  result);
    if (status != CS_OK) return status;

    char number[40];
    snprintf(number, sizeof number, "%.9g", (double)(host->rng_seed(run, 3) >> 40));
    host->emit(run, CS_EMIT_SCALAR, TEXT("seed"), text_of(number), CS_NONE);
    CsStr json;
    if (c.dataset->item(run, c.images, count - 1, NULL, &json) != CS_OK) return pass_on(&c, CS_FAILED);
    char note[400];
    snprintf(note, sizeof note, "\"%d bytes about the last of %d\"", (int)json.len, (int)count);
    host->emit(run, CS_EMIT_NOTE, TEXT(""), text_of(note), CS_NONE);
    host->log(run, CS_LOG_INFO, TEXT("done"));
    return CS_OK;
}

/* ---- misuse: wrong calls are statuses, not crashes ---- */

static CsTensor kept_tensor;

static CsStatus keep(void *user, uint64_t first, uint64_t count, const CsTensor *tensors, size_t n) {
    (void)first;
    (void)count;
    (void)n;
    Context *c = user;
    kept_tensor = tensors[0];
    if (c->tensor->release(c->run, tensors[0]) != CS_INVALID) return CS_FAILED;
    return CS_OK;
}

static CsStatus stop(void *user, uint64_t first, uint64_t count, const CsTensor *tensors, size_t n) {
    (void)first;
    (void)count;
    (void)tensors;
    (void)n;
    ++*(int *)user;
    return CS_CANCELLED;
}

#define EXPECT(status, call) \
    do { \
        CsStatus got = (call); \
        if (got != (status)) { \
            snprintf(words, sizeof words, "line %d: %d instead of " #status, __LINE__, (int)got); \
            return fail(&c, words); \
        } \
    } while (0)

static CsStatus misuse(const void *user, const CsHost *host, CsRun *run) {
    (void)user;
    static CsTensor stale;
    char words[200];
    Context c;
    CsStatus status = start(&c, host, run);
    if (status != CS_OK) return status;
    CsImages images = {.dataset = c.images};
    CsStr capture = TEXT("[{\"value\": \"scores\"}]"), none = TEXT(""), empty = {NULL, 0};
    CsStr null = {NULL, 4}, wild = {(const uint8_t *)"\xff\xfe", 2}, endless = {(const uint8_t *)"a", SIZE_MAX};
    CsTensor tensor = 0;
    CsView view;
    CsStr text;
    uint64_t number, huge[2] = {UINT64_MAX, UINT64_MAX}, two[2] = {2, 2};
    int64_t whole, field[4];
    double real;
    uint32_t bit;
    int calls = 0;

    /* a tensor of an earlier run, forged handles, handles of another kind */
    if (stale) EXPECT(CS_BAD_HANDLE, c.tensor->map(run, stale, CS_READ, &view));
    EXPECT(CS_BAD_HANDLE, c.tensor->map(run, 12345, CS_READ, &view));
    EXPECT(CS_BAD_HANDLE, c.tensor->map(run, c.current, CS_READ, &view));
    EXPECT(CS_BAD_HANDLE, c.model->describe(run, c.images, &text));
    EXPECT(CS_BAD_HANDLE, c.dataset->len(run, c.current, &number));
    EXPECT(CS_BAD_HANDLE, c.model->current(NULL, &number));
    EXPECT(CS_BAD_HANDLE, host->param_handle(run, TEXT("images"), 0, CS_PARAM_TENSOR, &number));
    EXPECT(CS_UNSUPPORTED, host->param_handle(run, TEXT("images"), 0, CS_PARAM_MODEL, &number));
    EXPECT(CS_INVALID, host->param_handle(run, TEXT("images"), 1, CS_PARAM_DATASET, &number));

    /* null, no UTF-8, endless */
    EXPECT(CS_INVALID, c.model->current(run, NULL));
    EXPECT(CS_INVALID, host->param_i64(run, null, &whole));
    EXPECT(CS_INVALID, host->param_i64(run, wild, &whole));
    EXPECT(CS_INVALID, host->param_i64(run, endless, &whole));
    EXPECT(CS_INVALID, host->param_i64(run, empty, &whole));
    EXPECT(CS_INVALID, c.model->observe(run, c.current, NULL, none, capture, copy, NULL));
    host->log(run, CS_LOG_DEBUG, wild);

    /* parameters of another type */
    EXPECT(CS_INVALID, host->param_bool(run, TEXT("target"), &bit));
    EXPECT(CS_INVALID, host->param_str(run, TEXT("target"), &text));
    EXPECT(CS_OK, host->param_f64(run, TEXT("target"), &real));
    EXPECT(CS_OK, host->param_count(run, TEXT("nothing"), &number));
    if (number != 0) return fail(&c, "an absent parameter has values");

    /* tensors */
    EXPECT(CS_INVALID, c.tensor->create(run, CS_F32, 2, huge, &tensor));
    EXPECT(CS_INVALID, c.tensor->create(run, CS_F32, 2, NULL, &tensor));
    EXPECT(CS_INVALID, c.tensor->create(run, CS_F32, 9, two, &tensor));
    EXPECT(CS_INVALID, c.tensor->create(run, 99, 2, two, &tensor));
    EXPECT(CS_OK, c.tensor->create(run, CS_F32, 2, two, &tensor));
    EXPECT(CS_INVALID, c.tensor->unmap(run, tensor));
    EXPECT(CS_INVALID, c.tensor->map(run, tensor, 8, &view));
    EXPECT(CS_INVALID, c.dataset->from_tensor(run, tensor, &number));
    stale = tensor;

    /* images: both, none, out of range */
    CsImages both = {.dataset = c.images, .tensor = tensor}, neither = {0};
    uint64_t far = 1000;
    CsImages beyond = {.dataset = c.images, .indices = &far, .count = 1};
    EXPECT(CS_INVALID, c.model->observe(run, c.current, &both, none, capture, copy, NULL));
    EXPECT(CS_INVALID, c.model->observe(run, c.current, &neither, none, capture, copy, NULL));
    EXPECT(CS_INVALID, c.model->observe(run, c.current, &beyond, none, capture, copy, NULL));
    EXPECT(CS_INVALID, c.dataset->item(run, c.images, far, &tensor, NULL));
    EXPECT(CS_UNSUPPORTED, c.dataset->pixels(run, c.images, 0, &tensor));

    /* requests */
    EXPECT(CS_INVALID, c.model->observe(run, c.current, &images, none, TEXT("{"), copy, NULL));
    EXPECT(CS_INVALID, c.model->observe(run, c.current, &images, none, TEXT("[]"), copy, NULL));
    EXPECT(CS_INVALID, c.model->receptive_field(run, c.current, TEXT("conv1"), NULL, &field));
    EXPECT(CS_OK, c.model->receptive_field(run, c.current, TEXT("conv1"), two, &field));
    if (field[0] != 1 || field[3] != 3) return fail(&c, "another receptive field");
    EXPECT(CS_INVALID, c.model->parameter(run, c.current, TEXT("relu1"), TEXT("weight"), &tensor));
    EXPECT(CS_OK, c.model->parameter(run, c.current, TEXT("conv1"), TEXT("weight"), &tensor));
    EXPECT(CS_INVALID, c.tensor->map(run, tensor, CS_WRITE, &view));

    /* a sink's tensors are the host's and die with it */
    EXPECT(CS_OK, c.model->observe(run, c.current, &images, none, capture, keep, &c));
    EXPECT(CS_BAD_HANDLE, c.tensor->map(run, kept_tensor, CS_READ, &view));
    EXPECT(CS_CANCELLED, c.model->observe(run, c.current, &images, none, capture, stop, &calls));
    if (calls != 1) return fail(&c, "a sink that stopped was called again");
    return CS_OK;
}

/* ---- ends: how a run may end ---- */

static CsStatus ends(const void *user, const CsHost *host, CsRun *run) {
    (void)user;
    Context c;
    CsStatus status = start(&c, host, run);
    if (status != CS_OK) return status;
    CsStr how;
    CsTensor tensor;
    CsImages images = {.dataset = c.images};
    if (host->param_str(run, TEXT("how"), &how) != CS_OK) return pass_on(&c, CS_FAILED);
    switch (how.ptr[0]) {
    case 'g': return 77; /* garbage */
    case 's': return CS_FAILED; /* silent */
    case 'w': return fail(&c, "these words"); /* words */
    case 'c': return CS_CANCELLED; /* cancelled */
    case 'r': /* refused, and overlooked */
        host->emit(run, CS_EMIT_TABLE, TEXT("t"), TEXT("{}"), CS_NONE);
        return CS_OK;
    case 'p': /* passes the host's error on */
        status = c.model->observe(run, c.current, &images, TEXT(""), TEXT("[{\"value\": \"scors\"}]"), copy, NULL);
        return pass_on(&c, status);
    case 'h': /* hoards tensors of a hundred bytes until there is no more room */
        for (uint64_t hundred = 25; (status = c.tensor->create(run, CS_F32, 1, &hundred, &tensor)) == CS_OK;) {}
        return pass_on(&c, status);
    case 'f': /* fills the room with tensors of a hundred bytes, and asks for a pass */
        for (uint64_t hundred = 25; c.tensor->create(run, CS_F32, 1, &hundred, &tensor) == CS_OK;) {}
        status = c.model->observe(run, c.current, &images, TEXT(""), TEXT("[{\"value\": \"scores\"}]"), copy, NULL);
        return pass_on(&c, status);
    case 'l': /* looks whether the user cancels, and says it in words of its own */
        host->progress(run, 0.0, TEXT("looking"));
        return host->is_cancelled(run) ? fail(&c, "was told to stop") : fail(&c, "nobody cancelled");
    case 'q': /* looks whether the user cancels, and stops without words */
        host->log(run, CS_LOG_INFO, TEXT("quiet"));
        return host->is_cancelled(run) ? CS_CANCELLED : fail(&c, "nobody cancelled");
    default: /* runs until the user cancels */
        for (int turn = 0; turn < 1000; turn++) {
            status = host->progress(run, turn / 1000.0, TEXT("turning"));
            if (status != CS_OK) return status;
        }
        return fail(&c, "nobody cancelled");
    }
}

#define SCHEMA \
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"images\"], \"properties\": {" \
    "\"images\": {\"x-convscope\": \"dataset\"}," \
    "\"target\": {\"type\": [\"integer\", \"string\"], \"x-convscope\": \"target\", \"default\": 4}," \
    "\"layer\": {\"type\": [\"string\", \"null\"], \"x-convscope\": \"layer\", \"default\": null}," \
    "\"how\": {\"type\": \"string\", \"default\": \"turns\"}}}"

#define ANALYSIS(function) \
    {.struct_size = sizeof(CsAnalysis), .id = CS_STATIC_STR(#function), .name = CS_STATIC_STR(#function), \
     .doc = CS_STATIC_STR("What " #function "\ndoes.\n\nAnd more."), .params_schema = CS_STATIC_STR(SCHEMA), \
     .run = function}

static const CsAnalysis analyses[] = {ANALYSIS(scores), ANALYSIS(misuse), ANALYSIS(ends)};

static const CsPlugin plugin = {
    .magic = CS_MAGIC, .abi_major = CS_ABI_MAJOR, .abi_minor = CS_ABI_MINOR, .struct_size = sizeof(CsPlugin),
    .id = CS_STATIC_STR("org.example.probe"), .name = CS_STATIC_STR("Probe"),
    .analyses = analyses, .analysis_count = 3,
};

CS_EXPORT const CsPlugin *cs_plugin_entry(void);
CS_EXPORT const CsPlugin *cs_plugin_entry(void) { return &plugin; }
