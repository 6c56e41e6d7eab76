/* convscope.h: the C interface between convscope and its plugins, version 0.1.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A plugin is a shared library named [lib]convscope_NAME.{so,dylib,dll} that exports one symbol,
 * cs_plugin_entry. It describes itself and its analyses; the host checks that, and calls the `run`
 * of an analysis when a user asks for it.
 *
 * Rules that hold everywhere
 *
 *   Strings      CsStr is borrowed UTF-8 without a terminating NUL. Who receives one copies it before
 *                the call returns, unless said otherwise. `ptr` may be NULL only where `len` is 0.
 *   Memory       Nobody frees the other's memory. The description of a plugin is static: it must stay
 *                readable for ever, because libraries are never unloaded.
 *   Handles      CsTensor, CsModel and CsDataset name objects of the host's. They are never reused and
 *                die when `run` returns. A stale or forged handle is CS_BAD_HANDLE, not a crash.
 *   Threads      Functions of the host may be called from any thread until `run` returns. A plugin
 *                joins its threads before. A sink is called on the thread that called the verb.
 *   Unwinding    No C++ exception, Rust panic or longjmp may cross the interface, in either direction.
 *   Results      Every function that returns a CsStatus writes its `out` arguments only with CS_OK.
 *   Cancelling   After CS_CANCELLED a plugin returns CS_CANCELLED as soon as it can.
 *   Growth       Structs only grow at the end; `struct_size` says how far the one at hand reaches.
 *                While the major version is 0, host and plugin must have the same version.
 */
#ifndef CONVSCOPE_H
#define CONVSCOPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface. */
#define CS_MAGIC UINT64_C(0x504f4353564e4f43) /* "CONVSCOP" as a little-endian number */
#define CS_ABI_MAJOR UINT32_C(0)
#define CS_ABI_MINOR UINT32_C(1)

/* Put this before the definition of cs_plugin_entry. */
#if defined(_WIN32)
#define CS_EXPORT __declspec(dllexport)
#else
#define CS_EXPORT __attribute__((visibility("default")))
#endif

/* ---- Basic types ------------------------------------------------------------------------------ */

/* Outcome of a call. */
typedef int32_t CsStatus;
#define CS_OK ((CsStatus)0)          /* done */
#define CS_FAILED ((CsStatus)1)      /* failed; the words are in set_error (plugin) or last_error (host) */
#define CS_INVALID ((CsStatus)2)     /* the caller gave something wrong */
#define CS_CANCELLED ((CsStatus)3)   /* the user wants to stop; return at once with the same status */
#define CS_BAD_HANDLE ((CsStatus)4)  /* the handle is stale, forged, or of another kind */
#define CS_UNSUPPORTED ((CsStatus)5) /* the other side cannot do this */
#define CS_PANICKED ((CsStatus)6)    /* the other side panicked and caught it */

/* Borrowed UTF-8 text of `len` bytes. */
typedef struct CsStr {
    const uint8_t *ptr; /* first byte; may be NULL when `len` is 0 */
    size_t len;         /* number of bytes */
} CsStr;

/* A CsStr of a string literal. */
#ifdef __cplusplus
#define CS_STR(literal) (CsStr{reinterpret_cast<const uint8_t *>(literal), sizeof(literal) - 1})
#else
#define CS_STR(literal) ((CsStr){(const uint8_t *)(literal), sizeof(literal) - 1})
#endif
/* The same for initializers of static objects. */
#define CS_STATIC_STR(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

typedef uint64_t CsTensor;  /* handle of a tensor of the host's */
typedef uint64_t CsModel;   /* handle of a model of the host's */
typedef uint64_t CsDataset; /* handle of a data set of the host's */
#define CS_NONE UINT64_C(0) /* no handle */

/* The context of one run: the host's, opaque to the plugin, valid until `run` returns. */
typedef struct CsRun CsRun;

/* ---- What a plugin says about itself ---------------------------------------------------------- */

struct CsHost;

/* Flags of an analysis. */
#define CS_REENTRANT UINT32_C(1)      /* several runs may be active at once */
#define CS_DETERMINISTIC UINT32_C(2)  /* same input, same bytes: results may be cached */
#define CS_NEEDS_BACKWARD UINT32_C(4) /* uses CsModelApi.attribute */

/* An analysis. All of it is static. */
typedef struct CsAnalysis {
    uint32_t struct_size; /* sizeof(CsAnalysis) */
    uint32_t flags;       /* CS_REENTRANT | CS_DETERMINISTIC | CS_NEEDS_BACKWARD */
    CsStr id;             /* snake case; the name in scripts */
    CsStr name;           /* name for people */
    CsStr doc;            /* what it computes, Markdown; reports quote the first paragraph */
    CsStr reference;      /* paper and section; may be empty */
    CsStr category;       /* group in lists, such as "attribution"; may be empty */
    /* JSON Schema of the parameters: an object. Accepted keywords: type, properties, required,
     * additionalProperties (false), description, title, default, enum, const, oneOf and anyOf (members
     * told apart by JSON type), items, minItems, maxItems, minimum, maximum, exclusiveMinimum,
     * exclusiveMaximum, format, $ref into $defs, x-unit, and x-convscope, which says what a value
     * stands for: "dataset", "tensor", "model", "callback", "layer" or "target". A plugin whose schema
     * has any other keyword is refused. */
    CsStr params_schema;
    CsStr outputs_schema; /* JSON Schema of what is emitted, for readers; may be empty */
    const void *user;     /* handed to `run` as it is; may be NULL */
    /* Runs the analysis. `host` and `run` belong to the host and are valid until this returns; `host` is
     * the same for every run. Must not be NULL. With anything but CS_OK and CS_CANCELLED, call set_error
     * before. What was emitted before a failure is dropped. */
    CsStatus (*run)(const void *user, const struct CsHost *host, CsRun *run);
} CsAnalysis;

/* A plugin. All of it is static. The fields up to and including `flags` are frozen for ever. */
typedef struct CsPlugin {
    uint64_t magic;       /* CS_MAGIC */
    uint32_t abi_major;   /* CS_ABI_MAJOR */
    uint32_t abi_minor;   /* CS_ABI_MINOR */
    uint32_t struct_size; /* sizeof(CsPlugin) */
    uint32_t flags;       /* 0 */
    CsStr id;             /* reverse domain name, such as "org.example.brightness" */
    CsStr name;           /* name for people */
    CsStr version;        /* the plugin's own version */
    CsStr authors;        /* who wrote it; may be empty */
    CsStr license;        /* SPDX expression; may be empty */
    CsStr homepage;       /* where to read more; may be empty */
    CsStr build_info;     /* compiler and target, for reports of faults; may be empty */
    const CsAnalysis *analyses; /* `analysis_count` analyses in a row */
    size_t analysis_count;      /* at least one */
    CsStatus (*init)(void);     /* called once after loading and checking; may be NULL */
    const void *(*get_extension)(CsStr id); /* later additions by id; may be NULL */
} CsPlugin;

/* The only symbol that a plugin exports. Returns its description, which stays readable for ever. */
CS_EXPORT const CsPlugin *cs_plugin_entry(void);
typedef const CsPlugin *(*CsPluginEntry)(void);

/* ---- The host's functions --------------------------------------------------------------------- */

/* Levels of a log line. */
#define CS_LOG_WARNING UINT32_C(1) /* something the user must know */
#define CS_LOG_INFO UINT32_C(2)    /* something the user may like to know */
#define CS_LOG_DEBUG UINT32_C(3)   /* something for the author */

/* Kinds of parameters that are handles. */
#define CS_PARAM_TENSOR UINT32_C(1)
#define CS_PARAM_DATASET UINT32_C(2) /* pictures, and also tensors that were given as images */
#define CS_PARAM_MODEL UINT32_C(3)

/* Kinds of results, and the JSON that describes them. Names are snake case, or NAME.LAYER for what
 * belongs to one layer, and unique among the results of their kind.
 *
 *   array    {"axes": [{"name": "image"}, {"name": "class", "labels": ["cat", "dog"]}],
 *             "unit": "px", "doc": "one sentence"}     one axis per axis of the tensor
 *   table    {"name": N, "caption": C, "columns": [{"name": N, "unit": U, "decimals": 2}],
 *             "rows": [[1, 0.5, "text", null]]}
 *   figure   {"name": N, "title": T, "how_to_read": H, "caption": C, "content":
 *               {"kind": "picture", "source": S, "colours": K, "label": L}
 *             | {"kind": "grid", "unit": U, "groups": [{"label": L, "note": M, "blocks": [
 *                   {"label": L, "columns": 3, "colours": K, "tiles": [{"source": S, "title": T}]}]}]}
 *             | {"kind": "table", "table": N}}
 *            S = {"array": N, "index": [0, 2]}: the leading axes fixed, what remains is [row, column] or
 *            [channel, row, column] with one or three channels. Arrays and tables are emitted before
 *            the figures that refer to them.
 *            K = {"map": "photograph"} | {"map": "around_grey", "limit": 1.0}
 *              | {"map": "signed", "limit": 1.0} | {"map": "viridis", "low": 0.0, "high": 1.0}
 *   scalar   the number
 *   note     a string: a remark that every reader must see; its name is empty
 */
#define CS_EMIT_ARRAY UINT32_C(1)
#define CS_EMIT_TABLE UINT32_C(2)
#define CS_EMIT_FIGURE UINT32_C(3)
#define CS_EMIT_SCALAR UINT32_C(4)
#define CS_EMIT_NOTE UINT32_C(5)

/* The host's function table. It belongs to the host and outlives every run. No function is NULL. */
typedef struct CsHost {
    uint32_t abi_major;   /* CS_ABI_MAJOR of the host */
    uint32_t abi_minor;   /* CS_ABI_MINOR of the host */
    uint32_t struct_size; /* sizeof(CsHost) of the host */
    uint32_t reserved;    /* 0 */
    CsStr name;           /* static text of the host's */
    CsStr version;        /* static text of the host's */
    /* Finds a further table by its id, such as CS_TENSOR_EXTENSION; it belongs to the host and outlives
     * every run. NULL when the host has none. */
    const void *(*get_extension)(CsStr id);
    /* Writes a line to the log, at a CS_LOG_… level. */
    void (*log)(CsRun *run, uint32_t level, CsStr text);
    /* Reports progress from 0 to 1 and what is being done; CS_CANCELLED when the user wants to stop. */
    CsStatus (*progress)(CsRun *run, double fraction, CsStr text);
    /* Says whether the user wants to stop: 0 or 1. */
    uint32_t (*is_cancelled)(CsRun *run);
    /* Derives a seed from the session's, the analysis, its parameters and a stream number: the only source
     * of randomness that gives the same report twice. */
    uint64_t (*rng_seed)(CsRun *run, uint64_t stream);
    /* Says why `run` is about to return a failure. The last call counts. */
    void (*set_error)(CsRun *run, CsStr text);
    /* Says why the last function of the host failed on this thread; empty when none did. The text belongs
     * to the host and is valid until the next call of the host on this thread. */
    CsStr (*last_error)(CsRun *run);
    /* The completed parameters as a JSON object, valid until `run` returns. Labels are class numbers,
     * layer names are full names; a tensor, data set or model appears as an object. */
    CsStr (*params_json)(CsRun *run);
    /* A boolean parameter at the top level: *out is 0 or 1. CS_INVALID when there is none. */
    CsStatus (*param_bool)(CsRun *run, CsStr key, uint32_t *out);
    /* A whole-number parameter. */
    CsStatus (*param_i64)(CsRun *run, CsStr key, int64_t *out);
    /* A number parameter. */
    CsStatus (*param_f64)(CsRun *run, CsStr key, double *out);
    /* A text parameter; the text belongs to the host and is valid until `run` returns. */
    CsStatus (*param_str)(CsRun *run, CsStr key, CsStr *out);
    /* Number of values of a list parameter; 1 for a single value, 0 for an absent one. */
    CsStatus (*param_count)(CsRun *run, CsStr key, uint64_t *out);
    /* The handle of a parameter, or of the value `index` of a list. `kind` is CS_PARAM_…; CS_BAD_HANDLE when
     * the parameter is of another kind. */
    CsStatus (*param_handle)(CsRun *run, CsStr key, uint64_t index, uint32_t kind, uint64_t *out);
    /* Hands a result to the host. `kind` is CS_EMIT_…, `meta_json` describes it. `tensor` is a tensor that
     * the plugin created and does not have mapped; it is moved: its handle is dead with CS_OK, and must
     * not be used after a failure either. For everything but arrays it is CS_NONE. */
    CsStatus (*emit)(CsRun *run, uint32_t kind, CsStr name, CsStr meta_json, CsTensor tensor);
} CsHost;

/* ---- Tensors ---------------------------------------------------------------------------------- */

#define CS_TENSOR_EXTENSION "convscope.tensor/1"

/* Most axes a tensor may have. */
#define CS_MAX_RANK 8

/* Types of elements. */
#define CS_F32 UINT32_C(1) /* float; NaN where there is nothing to say */
#define CS_U32 UINT32_C(2) /* uint32_t; UINT32_MAX where there is nothing to say */
#define CS_U8 UINT32_C(3)  /* uint8_t; pixels */

/* Modes of mapping. */
#define CS_READ UINT32_C(1)
#define CS_WRITE UINT32_C(2) /* only tensors that the plugin created, has not emitted and has not mapped */

/* Access to the values of a tensor. Element [i, j, …] lies at data + i·strides[0] + j·strides[1] + …
 * elements. Entries beyond `ndim` are 0. */
typedef struct CsView {
    void *data;                   /* first element, aligned; the host's; read only unless mapped to write */
    uint32_t dtype;               /* CS_F32, CS_U32 or CS_U8 */
    uint32_t ndim;                /* number of axes */
    uint64_t shape[CS_MAX_RANK];  /* extent of every axis, outermost first */
    int64_t strides[CS_MAX_RANK]; /* distance of neighbours along every axis, in elements; not negative */
} CsView;

/* Extension CS_TENSOR_EXTENSION. No function is NULL. */
typedef struct CsTensorApi {
    uint32_t struct_size; /* sizeof(CsTensorApi) of the host */
    uint32_t reserved;    /* 0 */
    /* Creates a tensor of zeros. `shape` points to `ndim` extents, borrowed for the call; it may be NULL
     * when `ndim` is 0. */
    CsStatus (*create)(CsRun *run, uint32_t dtype, uint32_t ndim, const uint64_t *shape, CsTensor *out);
    /* Gives access to the values until `unmap`: the host's memory on a CPU, a download from a device.
     * `mode` is CS_READ or CS_WRITE. A tensor may be mapped for reading several times; each needs its
     * own unmap. */
    CsStatus (*map)(CsRun *run, CsTensor tensor, uint32_t mode, CsView *out);
    /* Ends one access; its CsView.data must not be used any more. */
    CsStatus (*unmap)(CsRun *run, CsTensor tensor);
    /* Gives a tensor up before `run` returns. It must not be mapped, nor be a sink's. */
    CsStatus (*release)(CsRun *run, CsTensor tensor);
} CsTensorApi;

/* ---- The model -------------------------------------------------------------------------------- */

#define CS_MODEL_EXTENSION "convscope.model/1"

/* Images for a call. Exactly one of `dataset` and `tensor` is given. */
typedef struct CsImages {
    CsDataset dataset;       /* the data set, or CS_NONE */
    const uint64_t *indices; /* `count` indices into it, borrowed for the call; NULL for all of it in order */
    size_t count;            /* number of indices; 0 with `indices` not NULL means no images */
    CsTensor tensor;         /* a CS_F32 tensor [n, c, h, w] in network-input units, or CS_NONE */
} CsImages;

/* Receives consecutive cases (or starts) in order: `count` of them, from `first` on. `tensors` holds
 * `tensor_count` handles: for every capture in order its tensors (two for "strongest", one for every other
 * reduction), or one for every name of `to`; axis 0 of each has `count` entries. Array and tensors belong to
 * the host and die when the sink returns: unmap what was mapped. `user` is what the verb was given.
 * Anything but CS_OK stops the verb, which then returns that status. The sink may call the host. */
typedef CsStatus (*CsSink)(void *user, uint64_t first, uint64_t count, const CsTensor *tensors,
                           size_t tensor_count);

/* Extension CS_MODEL_EXTENSION. No function is NULL.
 *
 *   case         {"image": 0, "interventions": [I, …]}; "image" counts the images of the call
 *   I            {"kind": "occlude", "region": {"top": 0, "left": 0, "height": 8, "width": 8}, "fill": F}
 *              | {"kind": "replace", "layer": N, "channels": [0, 3], "with": F}
 *              | {"kind": "bypass", "layer": N}
 *   F            a number, a list of one number per channel, in units of what is replaced, or {"image": 1}: what
 *                that image of the call has in the same place of the network's input
 *   capture      {"value": N, "reduction": R, "channels": [5, 2]}; without "channels", all are handed back; they
 *                are chosen before maps are reduced, but behind "softmax"; "argmax" is over all.
 *                R = {"kind": K}, K one of "none", "sum", "mean", "norm", "count_positive", "softmax",
 *                "argmax" (CS_U32),
 *              | {"kind": "strongest", "k": 9, "disjoint": "none" | "receptive_field"}: two tensors, values
 *                [case, channel, k] and positions (CS_U32) [case, channel, k, 2] as row, column
 *   start        {"image": 0, "value": N, "channel": 3, "position": [row, column], "amount": A}, with
 *                A = "one" | "activation" | {"number": 2.0}; no position for features
 *   composite    {"rules": [{"on": {"kind": "rectifier"} | {"layer": N}, "apply": RULE}, …]}, with RULE one of
 *                "gradient", "guided", "overwrite_overlap", "pass", "rectify"; the first rule that matches a
 *                layer wins, and the gradient where none does
 */
typedef struct CsModelApi {
    uint32_t struct_size; /* sizeof(CsModelApi) of the host */
    uint32_t reserved;    /* 0 */
    /* The model that the analysis was called on. */
    CsStatus (*current)(CsRun *run, CsModel *out);
    /* Describes it as JSON: layers with kind, shape, receptive field and cost, inputs, the value of the
     * scores, labels, preprocessing. The text belongs to the host and is valid until `run` returns. */
    CsStatus (*describe)(CsRun *run, CsModel model, CsStr *out);
    /* A parameter of a layer, "weight" or "bias", as a tensor to be read. */
    CsStatus (*parameter)(CsRun *run, CsModel model, CsStr layer, CsStr name, CsTensor *out);
    /* Runs forward. `images` is borrowed for the call. `cases_json` is a list of cases, or empty for every
     * image as it is; `captures_json` is a list of captures. The sink is called as many times as memory
     * makes necessary, always before this returns. */
    CsStatus (*observe)(CsRun *run, CsModel model, const CsImages *images, CsStr cases_json,
                        CsStr captures_json, CsSink sink, void *user);
    /* Carries signals back. `starts_json` is a list of starts, `composite_json` a composite, `to_json` a list
     * of names, or empty for the first input. The sink gets consecutive starts, one tensor per name. */
    CsStatus (*attribute)(CsRun *run, CsModel model, const CsImages *images, CsStr starts_json,
                          CsStr composite_json, CsStr to_json, CsSink sink, void *user);
    /* The receptive field of a unit of a value: *out becomes {top, left, height, width} in pixels of the
     * network's input, not clipped to it. `position` points to {row, column}, borrowed for the call; NULL
     * for features. */
    CsStatus (*receptive_field)(CsRun *run, CsModel model, CsStr value, const uint64_t *position,
                                int64_t (*out)[4]);
} CsModelApi;

/* ---- Data sets -------------------------------------------------------------------------------- */

#define CS_DATASET_EXTENSION "convscope.dataset/1"

/* Extension CS_DATASET_EXTENSION. No function is NULL. */
typedef struct CsDatasetApi {
    uint32_t struct_size; /* sizeof(CsDatasetApi) of the host */
    uint32_t reserved;    /* 0 */
    /* Number of items. */
    CsStatus (*len)(CsRun *run, CsDataset dataset, uint64_t *out);
    /* One item. *tensor becomes its network input [1, c, h, w], to be read; skipped when `tensor` is NULL.
     * *json becomes its description: {"name": N, "label": 3, "original_size": [h, w], "input_size": [h, w],
     * "mapping": {"offset": [y, x], "step": [y, x]}, "parts": [{"name": N, "region": …}]}, valid until
     * the next call of the host on this thread; skipped when `json` is NULL. */
    CsStatus (*item)(CsRun *run, CsDataset dataset, uint64_t index, CsTensor *tensor, CsStr *json);
    /* The picture as the network sees it, before normalization: CS_U8 [height, width, 3] in RGB at the size
     * of the network's input, to be read. CS_UNSUPPORTED for raw tensors. */
    CsStatus (*pixels)(CsRun *run, CsDataset dataset, uint64_t index, CsTensor *out);
    /* Makes a data set of a CS_F32 tensor [n, c, h, w] in network-input units. The data set has the values
     * that the tensor has now; the tensor stays the plugin's. */
    CsStatus (*from_tensor)(CsRun *run, CsTensor tensor, CsDataset *out);
} CsDatasetApi;

#ifdef __cplusplus
}
#endif

#endif /* CONVSCOPE_H */
