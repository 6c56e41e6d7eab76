//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use convscope_data::Preset;

use crate::failure::Failure;
use crate::size::Size;

/// Looks inside trained convolutional image classifiers.
///
/// Reads an ONNX model, runs it, inverts it layer by layer, and writes reports of SVG figures with
/// the arrays behind them.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// Number of threads to compute with [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// Memory that computing may take, such as 800M or 4G [default: half of what is free]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,
    /// Seed of everything that is random
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// How pictures become network inputs, for models without a card: imagenet, caffe, keras, raw
    #[arg(long, global = true, value_name = "PRESET")]
    pub(crate) preprocess: Option<Preset>,
    #[command(flatten)]
    pub(crate) rounding: Rounding,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
    /// Use plugins of this folder first, and trust them; may be given several times
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) plugin_dir: Vec<PathBuf>,
    /// Print one JSON object on standard output, for success and failure
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no progress and no notices
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

impl Common {
    /// Refuses folders of plugins on both sides of the command, of which the parser keeps only one
    /// side. `given` is the whole command line.
    pub(crate) fn check(&self, given: impl Iterator<Item = OsString>) -> Result<(), Failure> {
        let is_one = |argument: &OsString| {
            let bytes = argument.as_encoded_bytes().strip_prefix(b"--plugin-dir");
            bytes.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
        };
        let count = given.take_while(|argument| argument != "--").filter(is_one).count();
        if count == self.plugin_dir.len() {
            return Ok(());
        }
        Err(Failure::usage("--plugin-dir stands both before and after the command")
            .with_help("give them all before it, or all after it"))
    }
}

/// Where results are kept.
#[derive(Debug, Args)]
pub(crate) struct Keeping {
    /// Folder for results that later runs re-use [default: convscope in the user's cache folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Size to which that folder grows, such as 800M or 4G; the least recently used results leave
    /// first [default: 2G]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) cache_size: Option<Size>,
    /// Compute everything, and keep nothing for later runs
    #[arg(long, global = true, conflicts_with_all = ["cache_dir", "cache_size"])]
    pub(crate) no_cache: bool,
}

/// How much is left to rounding.
#[derive(Debug, Args)]
pub(crate) struct Rounding {
    /// Compute every convolution directly: slower, with smaller rounding errors
    #[arg(long, global = true)]
    pub(crate) exact_conv: bool,
    /// Compute the whole network for every occluder position: slower, and the same up to rounding
    #[arg(long, global = true)]
    pub(crate) no_incremental: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one analysis without a script and write its report
    Analyze(Analyze),
    /// Find the mistakes of an analysis script without running it
    Check(Check),
    /// Print a script that completes this program's arguments in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write what editors need to complete and explain scripts, one file per kind of functions
    Definitions(Definitions),
    /// Run a model on raw tensors and write what comes out as .npy files
    Infer(Infer),
    /// Show the layers of a model: shapes, receptive fields, parameters, multiply-adds
    Inspect(Inspect),
    /// List, describe and trust plugins
    #[command(subcommand)]
    Plugins(Plugins),
    /// Classify pictures
    Predict(Predict),
    /// Run an analysis script and write its report
    Run(Run),
}

/// Arguments of `analyze`.
#[derive(Debug, Args)]
pub(crate) struct Analyze {
    /// Name of the analysis, such as deconvnet, or plugin/analysis
    pub(crate) analysis: String,
    /// The model, an ONNX file
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Pictures: files, folders, globs, a CSV, or raw tensors (.npy, .pb)
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    pub(crate) images: Vec<PathBuf>,
    /// Shape of the input where the model leaves it open, such as 1,3,224,224
    #[arg(long, value_name = "SHAPE", value_delimiter = ',', value_parser = extent)]
    pub(crate) input: Vec<usize>,
    /// Use all weights of this safetensors file instead of the model's
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Set a parameter of the analysis; values are JSON or plain strings
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub(crate) out: PathBuf,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The script
    pub(crate) script: PathBuf,
    /// Fill in an option of the script; values are JSON or plain strings
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Arguments of `definitions`.
#[derive(Debug, Args)]
pub(crate) struct Definitions {
    /// Folder for the files, which end in .d.rhai
    #[arg(long, value_name = "DIR", default_value = "definitions")]
    pub(crate) out: PathBuf,
}

/// Arguments of `infer`.
#[derive(Debug, Args)]
pub(crate) struct Infer {
    /// The model, an ONNX file
    pub(crate) model: PathBuf,
    /// Raw tensors (.npy, or ONNX `TensorProto` .pb), one per input of the model, in their order
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,
    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write this layer or value instead of the model's outputs; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) capture: Vec<String>,
    /// Use all weights of this safetensors file instead of the model's
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Run so many times and report the time of each with --json, for benchmarks
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// Show the CPU time of every layer, the shortest of all repetitions. A rectifier may run within
    /// the layer before it
    #[arg(long)]
    pub(crate) profile: bool,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The model, an ONNX file
    pub(crate) model: PathBuf,
    /// Shape of the input where the model leaves it open, such as 1,3,224,224
    #[arg(long, value_name = "SHAPE", value_delimiter = ',', value_parser = extent)]
    pub(crate) input: Vec<usize>,
    /// Draw the graph as an SVG file, every layer with its work
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Use all weights of this safetensors file instead of the model's
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
}

/// Sub-commands of `plugins`.
#[derive(Debug, Subcommand)]
pub(crate) enum Plugins {
    /// Explain a plugin or one of its analyses with all parameters
    Describe {
        /// Id of a plugin or the last word of it, or name of an analysis
        id: String,
    },
    /// List the plugins found, and those not used with the reason and what to do
    List,
    /// Trust a plugin: it may then run, with all of your rights
    ///
    /// Plugins of the installation and of `--plugin-dir` are trusted; those of
    /// `CONVSCOPE_PLUGIN_PATH` and of your data folder only as the very file that you trust here.
    /// A plugin can do whatever you can: read and change your files, use the network. The file is
    /// checked, and loaded once to learn its id.
    Trust {
        /// The plugin's file
        file: PathBuf,
    },
    /// Take trust back that was given with `plugins trust`
    Untrust {
        /// The file, whether or not it still exists, or the id of the plugin
        #[arg(value_name = "FILE|ID")]
        name: String,
    },
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// The model, an ONNX file
    pub(crate) model: PathBuf,
    /// Pictures: files, folders, globs, a CSV, or raw tensors (.npy, .pb)
    #[arg(required = true)]
    pub(crate) images: Vec<PathBuf>,
    /// Shape of the input where the model leaves it open, such as 1,3,224,224
    #[arg(long, value_name = "SHAPE", value_delimiter = ',', value_parser = extent)]
    pub(crate) input: Vec<usize>,
    /// Use all weights of this safetensors file instead of the model's
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// How many classes to show for each
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top: u32,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The script
    pub(crate) script: PathBuf,
    /// Fill in an option of the script; values are JSON or plain strings
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub(crate) out: PathBuf,
    /// Most steps the script may take; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 500_000_000)]
    pub(crate) max_operations: u64,
}

fn extent(text: &str) -> Result<usize, &'static str> {
    text.trim().parse().map_err(|_| "expected whole numbers, such as 1,3,224,224")
}
