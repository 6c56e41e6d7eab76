//! Reads a model in one of several ways and prints how long that took and how much memory:
//! `load WAY MODEL`, where WAY is `plain` (the bytes of all files, nothing else), `load` or
//! `outline`. `tests/peers/loading.py` runs it.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use convscope_onnx::{LoadOptions, load, outline};

#[allow(clippy::print_stdout, reason = "this is what the program is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, model] = arguments.as_slice() else { return Err("usage: load WAY MODEL".into()) };
    let model = Path::new(model);
    let options = LoadOptions::default();
    // What lies beside the model is found once, untimed.
    let beside = outline(model, &options)?.files;
    let start = Instant::now();
    let held: Box<dyn std::any::Any> = match way.as_str() {
        "plain" => {
            let mut all = vec![fs::read(model)?];
            for file in beside {
                all.push(fs::read(file)?);
            }
            Box::new(all)
        }
        "load" => Box::new(load(model, &options)?),
        "outline" => Box::new(outline(model, &options)?),
        _ => return Err(format!("{way} is neither plain, load nor outline").into()),
    };
    let seconds = start.elapsed().as_secs_f64();
    println!("{{ \"seconds\": {seconds}, \"peak_bytes\": {} }}", peak()?);
    drop(held);
    Ok(())
}

/// Returns the most memory that the process has held so far, in bytes. Linux only.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.ok_or("no VmHWM in /proc/self/status")?.parse::<u64>()? * 1024)
}
