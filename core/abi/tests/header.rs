//! The C header says the same as the Rust types: a C compiler checks every size and offset.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use convscope_abi::{
    ABI_MAJOR, ABI_MINOR, CS_DETERMINISTIC, CS_EMIT_ARRAY, CS_EMIT_FIGURE, CS_EMIT_NOTE,
    CS_EMIT_SCALAR, CS_EMIT_TABLE, CS_F32, CS_LOG_DEBUG, CS_LOG_INFO, CS_LOG_WARNING,
    CS_NEEDS_BACKWARD, CS_NONE, CS_PARAM_DATASET, CS_PARAM_MODEL, CS_PARAM_TENSOR, CS_READ,
    CS_REENTRANT, CS_U8, CS_U32, CS_WRITE, CsAnalysis, CsDatasetApi, CsHost, CsImages, CsModelApi,
    CsPlugin, CsStatus, CsStr, CsTensorApi, CsView, DATASET_EXTENSION, ENTRY_SYMBOL, MAGIC,
    MAX_RANK, MODEL_EXTENSION, TENSOR_EXTENSION,
};

/// Asserts the size of a struct and the offset of every field, in C.
macro_rules! layout {
    ($source:ident, $type:ident { $($field:ident),+ $(,)? }) => {
        assert_eq!(size_of::<$type>(), last_end!($type { $($field),+ }), "a field is not listed");
        writeln!($source, "_Static_assert(sizeof({0}) == {1}, \"{0}\");", stringify!($type), size_of::<$type>())
            .unwrap();
        $(writeln!(
            $source,
            "_Static_assert(offsetof({0}, {1}) == {2}, \"{0}.{1}\");",
            stringify!($type),
            stringify!($field),
            offset_of!($type, $field),
        )
        .unwrap();)+
    };
}

/// Where the listed fields end, padded: a field that is not listed makes the struct larger.
macro_rules! last_end {
    ($type:ident { $($field:ident),+ }) => {{
        fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize {
            size_of::<F>()
        }
        let end = 0;
        $(let end = end.max(offset_of!($type, $field) + size_of_field(|it: &$type| &it.$field));)+
        end.next_multiple_of(align_of::<$type>())
    }};
}

/// Asserts that constants have the same value, in C.
macro_rules! constants {
    ($source:ident, $($name:literal = $value:expr),+ $(,)?) => {
        $(writeln!($source, "_Static_assert({0} == UINT64_C({1}), \"{0}\");", $name, $value).unwrap();)+
    };
}

fn assertions() -> String {
    let mut c = String::from("#include \"convscope.h\"\n");
    layout!(c, CsStr { ptr, len });
    layout!(c, CsView { data, dtype, ndim, shape, strides });
    layout!(
        c,
        CsPlugin {
            magic,
            abi_major,
            abi_minor,
            struct_size,
            flags,
            id,
            name,
            version,
            authors,
            license,
            homepage,
            build_info,
            analyses,
            analysis_count,
            init,
            get_extension,
        }
    );
    layout!(
        c,
        CsAnalysis {
            struct_size,
            flags,
            id,
            name,
            doc,
            reference,
            category,
            params_schema,
            outputs_schema,
            user,
            run,
        }
    );
    layout!(
        c,
        CsHost {
            abi_major,
            abi_minor,
            struct_size,
            reserved,
            name,
            version,
            get_extension,
            log,
            progress,
            is_cancelled,
            rng_seed,
            set_error,
            last_error,
            params_json,
            param_bool,
            param_i64,
            param_f64,
            param_str,
            param_count,
            param_handle,
            emit,
        }
    );
    layout!(c, CsTensorApi { struct_size, reserved, create, map, unmap, release });
    layout!(c, CsImages { dataset, indices, count, tensor });
    layout!(
        c,
        CsModelApi {
            struct_size,
            reserved,
            current,
            describe,
            parameter,
            observe,
            attribute,
            receptive_field,
        }
    );
    layout!(c, CsDatasetApi { struct_size, reserved, len, item, pixels, from_tensor });
    write_constants(&mut c);
    c
}

fn write_constants(c: &mut String) {
    constants!(
        c,
        "CS_MAGIC" = MAGIC,
        "CS_ABI_MAJOR" = ABI_MAJOR,
        "CS_ABI_MINOR" = ABI_MINOR,
        "CS_MAX_RANK" = MAX_RANK,
        "CS_NONE" = CS_NONE,
        "CS_OK" = CsStatus::OK.0,
        "CS_FAILED" = CsStatus::FAILED.0,
        "CS_INVALID" = CsStatus::INVALID.0,
        "CS_CANCELLED" = CsStatus::CANCELLED.0,
        "CS_BAD_HANDLE" = CsStatus::BAD_HANDLE.0,
        "CS_UNSUPPORTED" = CsStatus::UNSUPPORTED.0,
        "CS_PANICKED" = CsStatus::PANICKED.0,
        "CS_F32" = CS_F32,
        "CS_U32" = CS_U32,
        "CS_U8" = CS_U8,
        "CS_READ" = CS_READ,
        "CS_WRITE" = CS_WRITE,
        "CS_REENTRANT" = CS_REENTRANT,
        "CS_DETERMINISTIC" = CS_DETERMINISTIC,
        "CS_NEEDS_BACKWARD" = CS_NEEDS_BACKWARD,
        "CS_LOG_WARNING" = CS_LOG_WARNING,
        "CS_LOG_INFO" = CS_LOG_INFO,
        "CS_LOG_DEBUG" = CS_LOG_DEBUG,
        "CS_PARAM_TENSOR" = CS_PARAM_TENSOR,
        "CS_PARAM_DATASET" = CS_PARAM_DATASET,
        "CS_PARAM_MODEL" = CS_PARAM_MODEL,
        "CS_EMIT_ARRAY" = CS_EMIT_ARRAY,
        "CS_EMIT_TABLE" = CS_EMIT_TABLE,
        "CS_EMIT_FIGURE" = CS_EMIT_FIGURE,
        "CS_EMIT_SCALAR" = CS_EMIT_SCALAR,
        "CS_EMIT_NOTE" = CS_EMIT_NOTE,
    );
}

/// A plugin in C: what an author writes must compile without a warning.
const PLUGIN: &str = r#"
#include "convscope.h"

static CsStatus receive(void *user, uint64_t first, uint64_t count, const CsTensor *tensors,
                        size_t tensor_count) {
    (void)first; (void)tensors; (void)tensor_count;
    *(uint64_t *)user += count;
    return CS_OK;
}

static CsStatus run(const void *user, const CsHost *host, CsRun *run) {
    const CsModelApi *models = host->get_extension(CS_STR(CS_MODEL_EXTENSION));
    CsImages images = {0};
    CsModel model;
    uint64_t seen = 0;
    int64_t field[4];
    CsStatus status;
    (void)user;
    if (!models) return CS_UNSUPPORTED;
    if ((status = models->current(run, &model)) != CS_OK) return status;
    status = host->param_handle(run, CS_STR("images"), 0, CS_PARAM_DATASET, &images.dataset);
    if (status != CS_OK) return status;
    if ((status = models->receptive_field(run, model, CS_STR("conv"), NULL, &field)) != CS_OK) return status;
    return models->observe(run, model, &images, CS_STR(""), CS_STR("[]"), receive, &seen);
}

static const CsAnalysis ANALYSES[] = {{
    sizeof(CsAnalysis), CS_REENTRANT | CS_DETERMINISTIC,
    CS_STATIC_STR("count"), CS_STATIC_STR("Count"), CS_STATIC_STR("Counts pictures."),
    CS_STATIC_STR(""), CS_STATIC_STR(""), CS_STATIC_STR("{\"type\": \"object\"}"), CS_STATIC_STR(""),
    NULL, run,
}};

static const CsPlugin PLUGIN = {
    CS_MAGIC, CS_ABI_MAJOR, CS_ABI_MINOR, sizeof(CsPlugin), 0,
    CS_STATIC_STR("org.example.count"), CS_STATIC_STR("Count"), CS_STATIC_STR("1.0.0"),
    CS_STATIC_STR(""), CS_STATIC_STR("MIT"), CS_STATIC_STR(""), CS_STATIC_STR("C"),
    ANALYSES, 1, NULL, NULL,
};

CS_EXPORT const CsPlugin *cs_plugin_entry(void) { return &PLUGIN; }
"#;

/// Compiles C against the header; nothing where there is no compiler.
fn compile(name: &str, source: &str) -> Option<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("{name}.c"));
    std::fs::write(&file, source).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let output = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-c", "-I"])
        .arg(include)
        .arg("-o")
        .arg(folder.join(format!("{name}.o")))
        .arg(&file)
        .output();
    let Ok(output) = output else {
        assert!(std::env::var_os("CI").is_none(), "CI needs a C compiler to check the header");
        eprintln!("skipped: there is no C compiler `cc` to check the header with");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

#[test]
fn a_c_compiler_agrees_with_every_size_offset_and_constant() {
    compile("assertions", &assertions());
}

#[test]
fn a_plugin_in_c_compiles_without_a_warning() {
    compile("plugin", PLUGIN);
}

#[test]
fn the_check_fails_where_header_and_types_differ() {
    let source = assertions()
        .replace("_Static_assert(CS_U8 == UINT64_C(3)", "_Static_assert(CS_U8 == UINT64_C(4)");
    let refused = std::panic::catch_unwind(|| compile("wrong", &source));
    let reason = match refused {
        Ok(Some(())) => panic!("a wrong constant was accepted"),
        Ok(None) => return,
        Err(reason) => reason,
    };
    let reason = reason.downcast_ref::<String>().unwrap();
    assert!(reason.contains("CS_U8"), "{reason}");
}

#[test]
fn names_that_cross_as_text_are_the_same() {
    let header = include_str!("../include/convscope.h");
    for (name, id) in [
        ("CS_TENSOR_EXTENSION", TENSOR_EXTENSION),
        ("CS_MODEL_EXTENSION", MODEL_EXTENSION),
        ("CS_DATASET_EXTENSION", DATASET_EXTENSION),
    ] {
        assert!(header.contains(&format!("#define {name} \"{id}\"\n")), "{name}");
    }
    assert!(header.contains(&format!("CS_EXPORT const CsPlugin *{ENTRY_SYMBOL}(void);")));
    assert!(header.contains(&format!("version {ABI_MAJOR}.{ABI_MINOR}.")));
}
