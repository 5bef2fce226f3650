//! Tells a person what happens: one numbered line per step with the time it took, a spinner while it runs, and at the
//! end a summary or the name of the step that failed.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

/// How much is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Voice {
    Silent,
    Plain,
    Terminal,
}

/// The steps of one run.
#[derive(Debug)]
pub struct Steps {
    voice: Voice,
    begin: Instant,
    done: usize,
    progress: Progress,
}

/// Says what the running step is busy with. Can be given away.
#[derive(Clone, Debug)]
pub struct Progress {
    voice: Voice,
    spinner: Arc<Mutex<Option<ProgressBar>>>,
}

impl Progress {
    /// Replaces the words beside the spinner; without a terminal, a line of its own.
    pub fn say(&self, text: &str) {
        match (self.voice, &*self.spinner.lock().unwrap_or_else(PoisonError::into_inner)) {
            (Voice::Terminal, Some(spinner)) => spinner.set_message(format!("– {text}")),
            (Voice::Terminal | Voice::Plain, _) => line(&format!("      {text}")),
            (Voice::Silent, _) => {}
        }
    }
}

impl Steps {
    /// Steps for a person to read.
    pub fn new() -> Self {
        let terminal = stdout().is_terminal() && stderr().is_terminal();
        Self::with(if terminal { Voice::Terminal } else { Voice::Plain })
    }

    /// Steps that nobody reads.
    pub fn silent() -> Self {
        Self::with(Voice::Silent)
    }

    fn with(voice: Voice) -> Self {
        let progress = Progress { voice, spinner: Arc::default() };
        Self { voice, begin: Instant::now(), done: 0, progress }
    }

    /// For code that reports while a step runs.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Runs one step and tells how it went. Its error names it.
    pub async fn step<T>(&mut self, what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let number = self.done + 1;
        let begin = Instant::now();
        self.spin(number, what);
        let outcome = work.await;
        self.still();
        let took = seconds(begin.elapsed());
        match &outcome {
            Ok(_) => self.line(&format!("{number:>3}. {what:<60} {took:>8}")),
            Err(_) => self.line(&format!("{number:>3}. {what:<60} {took:>8}  FAILED")),
        }
        self.done = number;
        outcome.with_context(|| format!("step {number} failed: {what}"))
    }

    /// A line below the last step.
    pub fn note(&self, text: &str) {
        for part in text.lines() {
            self.line(&format!("      {part}"));
        }
    }

    /// The last line of a run in which every step succeeded.
    pub fn summary(&self) {
        self.line(&format!("\n{} steps in {}, all well.", self.done, seconds(self.begin.elapsed())));
    }

    fn line(&self, text: &str) {
        if self.voice != Voice::Silent {
            line(text);
        }
    }

    fn spin(&self, number: usize, what: &str) {
        if self.voice != Voice::Terminal {
            return;
        }
        let style = ProgressStyle::with_template("{prefix} {spinner} {elapsed} {wide_msg}").expect("a valid template");
        let spinner = ProgressBar::new_spinner().with_style(style).with_prefix(format!("{number:>3}. {what}"));
        spinner.enable_steady_tick(Duration::from_millis(100));
        *self.progress.spinner.lock().unwrap_or_else(PoisonError::into_inner) = Some(spinner);
    }

    fn still(&self) {
        if let Some(spinner) = self.progress.spinner.lock().unwrap_or_else(PoisonError::into_inner).take() {
            spinner.finish_and_clear();
        }
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self::new()
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Writes a line. A reader that went away is no reason to stop.
pub(crate) fn line(text: &str) {
    let _ = writeln!(stdout(), "{text}");
}
