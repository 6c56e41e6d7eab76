//! The terminal: results on standard output, progress and notices on standard error.

mod time_left;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use convscope_host::{Control, LogLevel};
use indicatif::{ProgressBar, ProgressStyle};

use time_left::TimeLeft;

use crate::arguments::Common;
use crate::failure::Failure;
use crate::kind;

/// Least time between two plain progress lines.
const BETWEEN_LINES: Duration = Duration::from_secs(2);

/// Where the program speaks to its user, and where the user interrupts it.
#[derive(Debug)]
pub(crate) struct Console {
    quiet: bool,
    json: bool,
    cancelled: Arc<AtomicBool>,
    bar: Mutex<Progress>,
}

#[derive(Debug)]
enum Progress {
    /// There is none before the first progress, and none between two analyses: whatever is done to
    /// a bar draws it.
    Bar(Option<(ProgressBar, TimeLeft)>),
    Lines {
        left: Option<TimeLeft>,
        last: Option<Instant>,
    },
}

impl Console {
    /// Opens the console; Ctrl-C sets a flag that all work looks at, and a second one ends the
    /// program at once.
    pub(crate) fn open(common: &Common) -> Self {
        let cancelled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancelled);
        let handler = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(crate::failure::Exit::Interrupted as i32);
            }
        });
        let progress = if io::stderr().is_terminal() {
            Progress::Bar(None)
        } else {
            Progress::Lines { left: None, last: None }
        };
        let console =
            Self { quiet: common.quiet, json: common.json, cancelled, bar: Mutex::new(progress) };
        if let Err(error) = handler {
            console.warn(&format!("Ctrl-C cannot be handled cleanly here: {error}"));
        }
        console
    }

    /// Says something the user must know.
    pub(crate) fn warn(&self, text: &str) {
        self.line(&format!("warning: {text}"));
    }

    /// Says something the user may like to know; silent with `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Takes the progress bar away.
    pub(crate) fn clear(&self) {
        match &mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Progress::Bar(bar) => {
                if let Some((bar, _)) = bar.take() {
                    bar.finish_and_clear();
                }
            }
            Progress::Lines { left, last } => (*left, *last) = (None, None),
        }
    }

    /// Shows a line of results on standard output, or on standard error when standard output
    /// belongs to one JSON object.
    pub(crate) fn result(&self, text: &str) {
        if self.json {
            self.line(text);
            return;
        }
        let write = || {
            if let Err(failure) = print(&format!("{text}\n")) {
                let _ = writeln!(io::stderr(), "{failure}");
            }
        };
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Progress::Bar(Some((bar, _))) => bar.suspend(write),
            Progress::Bar(None) | Progress::Lines { .. } => write(),
        }
    }

    fn line(&self, text: &str) {
        let write = || {
            // A closed standard error is no reason to stop working.
            let _ = writeln!(io::stderr(), "{text}");
        };
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Progress::Bar(Some((bar, _))) => bar.suspend(write),
            Progress::Bar(None) | Progress::Lines { .. } => write(),
        }
    }
}

impl Control for Console {
    fn progress(&self, fraction: f64, text: &str) {
        if self.quiet {
            return;
        }
        let fraction = fraction.clamp(0.0, 1.0);
        let now = Instant::now();
        match &mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Progress::Bar(bar) => {
                let (bar, left) = bar.get_or_insert_with(|| (new_bar(), TimeLeft::start(now)));
                let position = (fraction * 1000.0) as u64;
                if position < bar.position() {
                    bar.reset();
                }
                bar.set_position(position);
                bar.set_message(described(text, left.at(fraction, now)));
            }
            Progress::Lines { left, last } => {
                if fraction == 0.0 {
                    *left = None;
                }
                let left = left.get_or_insert_with(|| TimeLeft::start(now));
                let seconds = left.at(fraction, now);
                // What ends soon needs no line.
                if now - last.unwrap_or(left.started()) >= BETWEEN_LINES {
                    *last = Some(now);
                    let words = described(text, seconds);
                    let _ = writeln!(io::stderr(), "{:3.0} %  {words}", fraction * 100.0);
                }
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    fn log(&self, level: LogLevel, text: &str) {
        match level {
            LogLevel::Warning => self.warn(text),
            LogLevel::Info => self.note(text),
            LogLevel::Debug => {}
        }
    }
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} {percent:>3}%  {wide_msg}");
    let bar = ProgressBar::new(1000);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The console during one analysis, whose name stands before its progress.
pub(crate) struct Named<'a> {
    console: &'a Console,
    name: &'a str,
}

impl<'a> Named<'a> {
    /// Speaks for an analysis, `plugin/analysis`.
    pub(crate) fn new(console: &'a Console, analysis: &'a str) -> Self {
        Self { console, name: analysis.rsplit('/').next().unwrap_or(analysis) }
    }
}

impl Control for Named<'_> {
    fn progress(&self, fraction: f64, text: &str) {
        self.console.progress(fraction, &format!("{}: {text}", self.name));
    }

    fn is_cancelled(&self) -> bool {
        self.console.is_cancelled()
    }

    fn log(&self, level: LogLevel, text: &str) {
        self.console.log(level, &format!("{}: {text}", self.name));
    }
}

/// Returns the width of the terminal to which errors go; nothing where they go elsewhere: programs
/// that read them want whole lines.
pub(crate) fn width() -> Option<usize> {
    let stderr = io::stderr();
    let size = terminal_size::terminal_size_of(&stderr);
    // A terminal that tells no width tells zero.
    let told = size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0);
    stderr.is_terminal().then(|| told.unwrap_or(80).max(40))
}

/// Adds the time left to a progress message, no finer than it can be guessed.
fn described(text: &str, seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return text.to_owned() };
    let whole = seconds.ceil() as u64;
    match whole {
        0..=19 => format!("{text}, {whole} s left"),
        20..=89 => format!("{text}, {} s left", whole.next_multiple_of(5)),
        90..=5399 => format!("{text}, {} min left", whole.div_ceil(60)),
        _ => format!("{text}, {:.1} h left", seconds / 3600.0),
    }
}

/// Writes to standard output. A closed pipe ends the program quietly, as it does other filters.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::new(kind::OUTPUT, format!("cannot write the output: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_said_no_finer_than_it_is_known() {
        assert_eq!(described("x", None), "x");
        assert_eq!(described("x", Some(9.2)), "x, 10 s left");
        assert_eq!(described("x", Some(21.0)), "x, 25 s left");
        assert_eq!(described("x", Some(600.0)), "x, 10 min left");
        assert_eq!(described("x", Some(36000.0)), "x, 10.0 h left");
    }
}
