//! What can go wrong in a script. Scripts catch it as `kind`; what the workbench says has kinds of its
//! own.

/// Several plugins offer an analysis of this name.
///
/// Cure: Call it by its full name: `model.run("plugin/analysis", #{ … })`.
pub const AMBIGUOUS_ANALYSIS: &str = "ambiguous_analysis";
/// The user stopped the work. No script can catch it.
///
/// Cure: Run it again. Nothing was written.
pub const CANCELLED: &str = "cancelled";
/// A reduction, such as a maximum, was asked of an array without numbers.
///
/// Cure: Look at `shape` first: where an extent is 0 there is nothing to reduce.
pub const EMPTY: &str = "empty";
/// A report is saved that holds nothing.
///
/// Cure: Add something before `page.save()`.
pub const EMPTY_REPORT: &str = "empty_report";
/// Scripts import each other in a circle.
///
/// Cure: Move what both need into a third script.
pub const IMPORT_CIRCLE: &str = "import_circle";
/// An array that is to be normalized holds an infinite number.
///
/// Cure: Look for what made it infinite, such as a division by 0 or weights that have diverged.
pub const INFINITE: &str = "infinite";
/// Images that this program did not load are given to an analysis.
///
/// Cure: Load them with `load_images` in the script. Scripts cannot cause this; please report it.
pub const INVALID_IMAGES: &str = "invalid_images";
/// A parameter has a value that it does not take.
///
/// Cure: Give a value of the kind that the message expects. `convscope plugins describe NAME` shows
/// every parameter with its type, limits and default.
pub const INVALID_PARAMETER: &str = "invalid_parameter";
/// The script asks for an option that has no default, and the command line does not give it.
///
/// Cure: Give it with `--set NAME=VALUE`, or let the script state a default: `option("NAME",
/// VALUE)`.
pub const MISSING_OPTION: &str = "missing_option";
/// A parameter that has no default is not given.
///
/// Cure: Add it to the map of the call.
pub const MISSING_PARAMETER: &str = "missing_parameter";
/// A name stands before an argument, `name: value`, outside of a map.
///
/// Cure: Parameters with names stand in a map: `#{ name: value }`.
pub const NAMED_ARGUMENT: &str = "named_argument";
/// A file or folder does not exist, or a path or a list of pictures is empty.
///
/// Cure: Check the path: it is relative to the script in which it stands, and one that `--set`
/// gives to the working folder. Imports are looked for beside the script and in the script library.
pub const NOT_FOUND: &str = "not_found";
/// A result without figures and tables is added to a report.
///
/// Cure: Save its arrays with `save_npy`, or say with `page.text(…)` what came out.
pub const NOTHING_TO_SHOW: &str = "nothing_to_show";
/// An index, a range or a count lies outside an array.
///
/// Cure: Count from 0, or from -1 backwards, and look at `shape` first.
pub const OUT_OF_BOUNDS: &str = "out_of_bounds";
/// The script wants to read or write where no script may.
///
/// Cure: Put the files below the script's folder or the working folder, or name them on the command
/// line: `--set NAME=PATH`, with `option("NAME")` in the script. Arrays are written into the
/// report's folder only, by relative paths.
pub const OUT_OF_REACH: &str = "out_of_reach";
/// Something that cannot be changed is assigned to.
///
/// Cure: Keep the new value in a variable: `let changed = …`.
pub const READ_ONLY: &str = "read_only";
/// The script language stopped for another reason; the words are its own.
///
/// Cure: Look at the marked words. The Rhai Book, <https://rhai.rs/book>, explains the language.
pub const SCRIPT_ERROR: &str = "script_error";
/// A script saves a second report.
///
/// Cure: Add everything to one report, or run two scripts.
pub const SECOND_REPORT: &str = "second_report";
/// Arrays are computed with that do not fit together.
///
/// Cure: Give both the same shape, or take a number for one of the two; `shape` says it.
pub const SHAPE_MISMATCH: &str = "shape_mismatch";
/// The text cannot be read as a script.
///
/// Cure: Look at the marked place, and at what stands before it: most often a semicolon, a bracket
/// or a quotation mark is missing.
pub const SYNTAX: &str = "syntax";
/// The script itself gave up, with `throw`.
///
/// Cure: The words are its author's: look at the place from which it was thrown.
pub const THROWN: &str = "thrown";
/// A string, a list, a map, or all arrays together grow beyond their limit.
///
/// Cure: Look for a loop that adds without end. Numbers in bulk belong into the arrays of results,
/// and those that are not needed any more out of scope.
pub const TOO_LARGE: &str = "too_large";
/// Functions call each other too deeply.
///
/// Cure: Look for a function that calls itself without end.
pub const TOO_MANY_CALLS: &str = "too_many_calls";
/// The script imports too many others.
///
/// Cure: Join some of them.
pub const TOO_MANY_IMPORTS: &str = "too_many_imports";
/// The script took more steps than it may.
///
/// Cure: Look for a loop without end. `--max-operations N` allows more, and 0 any number; an
/// operation on a whole array counts as one.
pub const TOO_MANY_OPERATIONS: &str = "too_many_operations";
/// No plugin offers an analysis of this name.
///
/// Cure: Take one of the names in the help; `convscope plugins list` shows all plugins, and why
/// some are not used.
pub const UNKNOWN_ANALYSIS: &str = "unknown_analysis";
/// A result has no array of this name.
///
/// Cure: Take one of those in the help, or of `result.arrays`; an array of each layer is called
/// `name.layer`.
pub const UNKNOWN_ARRAY: &str = "unknown_array";
/// An array has no axis of this name or number.
///
/// Cure: Take one of `axes`, or a number from 0 on.
pub const UNKNOWN_AXIS: &str = "unknown_axis";
/// A result has no figure of this name.
///
/// Cure: Take one of those in the help, or of `result.figures`.
pub const UNKNOWN_FIGURE: &str = "unknown_figure";
/// A function is called that does not exist.
///
/// Cure: Look at the spelling. `convscope definitions` lists all functions for editors; a function
/// of an imported script is called `module::function()`.
pub const UNKNOWN_FUNCTION: &str = "unknown_function";
/// The model has no layer of this name.
///
/// Cure: Take one of the names in the help; `convscope inspect MODEL` shows them all.
pub const UNKNOWN_LAYER: &str = "unknown_layer";
/// A name before `::` that nothing is imported as.
///
/// Cure: Begin with `import "script" as name;`.
pub const UNKNOWN_MODULE: &str = "unknown_module";
/// A map of options holds one that the function does not take, or `--set` gives one for which the
/// script does not ask.
///
/// Cure: Take one of the names in the help.
pub const UNKNOWN_OPTION: &str = "unknown_option";
/// The analysis takes no parameter of this name.
///
/// Cure: Take one of the names in the help; `convscope plugins describe NAME` explains them.
pub const UNKNOWN_PARAMETER: &str = "unknown_parameter";
/// Something has no property of this name, or a map no entry.
///
/// Cure: Look at the spelling, and at what the value is: `print(type_of(value))`.
pub const UNKNOWN_PROPERTY: &str = "unknown_property";
/// A result has no table of this name.
///
/// Cure: Take one of those in the help, or of `result.tables`.
pub const UNKNOWN_TABLE: &str = "unknown_table";
/// The model has no such class.
///
/// Cure: Give the number of a class from 0 on, or its label as it stands in the labels; `convscope
/// predict` shows some.
pub const UNKNOWN_TARGET: &str = "unknown_target";
/// A variable is used that is declared nowhere.
///
/// Cure: Look at the spelling, and declare it with `let` before; a function sees its parameters
/// only.
pub const UNKNOWN_VARIABLE: &str = "unknown_variable";
/// A file that the script names cannot be read.
///
/// Cure: See what the system says, and who may read it (`ls -l`).
pub const UNREADABLE: &str = "unreadable";
/// A value is of a kind that does not fit where it stands.
///
/// Cure: Look at what the message wants there; `convscope definitions` writes down what every
/// function takes.
pub const WRONG_TYPE: &str = "wrong_type";
