//! What can go wrong on the command line and with results. What comes from the libraries has kinds of
//! its own.

/// Two values that are captured would be written to one file, since their names differ in signs
/// only that files should not have.
///
/// Cure: Capture them one by one, into different folders.
pub(crate) const AMBIGUOUS_FILE: &str = "ambiguous_file";
/// The user interrupted.
///
/// Cure: Run it again. Nothing was written.
pub(crate) const CANCELLED: &str = "cancelled";
/// The drawing of the graph cannot be made.
///
/// Cure: See [`ReportError`](#reporterror). Without `--svg` the layers are listed.
pub(crate) const FIGURE: &str = "figure";
/// The system does not say which folder the program works in, most often because it was deleted.
///
/// Cure: Change into a folder that exists.
pub(crate) const FOLDER: &str = "folder";
/// A raw tensor cannot be read, or the values computed of it cannot be kept.
///
/// Cure: Give `.npy` files, or ONNX `TensorProto` files ending in `.pb`; what the words say beyond
/// that is explained under [`DataError`](#dataerror) and [`OnnxError`](#onnxerror).
pub(crate) const INVALID_TENSOR: &str = "invalid_tensor";
/// A script has several mistakes, each of which is shown with its place; with `--json` they are the
/// list `mistakes`, each with a kind of its own.
///
/// Cure: Correct them one after the other.
pub(crate) const MISTAKES: &str = "mistakes";
/// A result cannot be written.
///
/// Cure: See what the system says: make room (`df`), or give a folder that is yours to write.
pub(crate) const OUTPUT: &str = "output";
/// The report cannot be written.
///
/// Cure: See [`ReportError`](#reporterror).
pub(crate) const REPORT: &str = "report";
/// The script cannot be started.
///
/// Cure: See [`ScriptError`](#scripterror).
pub(crate) const SCRIPT: &str = "script";
/// There is neither a plugin nor an analysis of this name.
///
/// Cure: Take one of those that `convscope plugins list` shows.
pub(crate) const UNKNOWN_PLUGIN: &str = "unknown_plugin";
/// The definitions for editors cannot be written.
///
/// Cure: See what the system says, or give another folder with `--out`.
pub(crate) const UNWRITABLE: &str = "unwritable";
/// The command line is wrong. Most of these messages come from the parser of the command line,
/// which names the argument and shows the usage; the others are below.
///
/// Cure: `convscope COMMAND --help` explains every argument.
pub(crate) const USAGE: &str = "usage";
