//! `cargo wb schemathesis`: Schemathesis asks the API whatever its document allows, and much that it forbids, once as every
//! kind of caller, over an enterprise in which the demonstration was walked. No answer may be a fault, differ from the
//! document, or be given to who has not signed in.
//!
//! `callers` says as whom, `report` reads what it found. What it is told is in
//! `tests/schemathesis`.

mod callers;
mod report;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use callers::Callers;
pub use callers::Role;
use report::Report;

use crate::{Durability, Options, Stack, Steps, demo, programs, python};

/// How much is asked, and as whom.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Only as these; all, if none is named.
    pub roles: Vec<Role>,
    /// So many generated requests for each operation, beside those that the document's bounds dictate.
    pub examples: u32,
    /// Repeats a run.
    pub seed: u64,
    /// Asks most callers only what is generated; nobody walks from one operation to the next.
    pub short: bool,
}

/// Of one caller's run, so that something that hangs is not waited for; a good run needs a tenth of it.
const PATIENCE: Duration = Duration::from_mins(8);

/// Asks everything and fails if one answer was not as it should be.
pub async fn run(asked: Asked, steps: &mut Steps) -> anyhow::Result<()> {
    let progress = steps.progress();
    let program =
        steps.step("Find Schemathesis", python::program("schemathesis", "st", move |text| progress.say(text))).await?;
    // Nothing is killed here: what is kept need not survive it.
    let durability = Durability::Fast;
    let options = Options { private: true, durability, variables: demo::rhythm(), ..Options::default() };
    let stack = Stack::up_with(options, steps).await?;
    let mut silent = Steps::silent();
    let walk =
        steps.step("Walk the demonstration, so that there is something to ask for", demo::walk(&stack, &mut silent));
    walk.await?;
    let folder = programs::target().join("schemathesis").join("reports");
    std::fs::create_dir_all(&folder).context("making the folder of reports")?;

    let (begin, mut total, mut wrong) = (Instant::now(), Report::default(), Vec::new());
    let roles = if asked.roles.is_empty() { Role::ALL.to_vec() } else { asked.roles.clone() };
    // In the order of what they may do: later ones take from earlier ones what those needed.
    for role in Role::ALL.into_iter().filter(|role| roles.contains(role)) {
        let callers = Callers::make(&stack, role).await.with_context(|| format!("making a {role}"))?;
        let place = Place { program: &program, folder: &folder, url: &stack.api_url, role };
        let report = steps.step(&format!("Ask as {role}"), place.ask(&asked, &callers)).await?;
        steps.note(&report.to_string());
        if !report.is_good() {
            steps.note(&place.told()?);
            wrong.push(role.to_string());
        }
        total.add(&report);
    }
    stack.down().await?;
    steps.note(&format!(
        "schemathesis: {} operations, {} cases, {} roles, {} failures; seed {}, {:.0} s",
        total.operations,
        total.cases,
        roles.len(),
        total.failures,
        asked.seed,
        begin.elapsed().as_secs_f64()
    ));
    ensure!(wrong.is_empty(), "not every answer was as it should be: {}", wrong.join(", "));
    Ok(())
}

/// One caller's run.
struct Place<'a> {
    program: &'a Path,
    folder: &'a Path,
    url: &'a str,
    role: Role,
}

impl Place<'_> {
    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.role))
    }

    /// What Schemathesis said of what went wrong.
    fn told(&self) -> anyhow::Result<String> {
        let said = std::fs::read_to_string(self.file("txt")).context("reading what was said")?;
        let from = [" ERRORS =", " FAILURES ="].iter().filter_map(|title| said.find(title)).min().unwrap_or(0);
        let to = [" WARNINGS =", " SUMMARY ="].iter().filter_map(|title| said.find(title)).min().unwrap_or(said.len());
        Ok(said.get(from..to).unwrap_or(&said).trim_end_matches('=').trim().to_owned())
    }

    async fn ask(&self, asked: &Asked, callers: &Callers) -> anyhow::Result<Report> {
        let callers_file = self.file("callers.json");
        callers::write_private(&callers_file, &callers.to_json(self.url))?;
        let report = self.file("json");
        // An old one must not be taken for this run's.
        let _ = std::fs::remove_file(&report);
        let outcome = self.call(asked, &callers_file, &report).await;
        // Whoever reads it could ask as they do, for as long as the stack lives.
        std::fs::remove_file(&callers_file).context("removing the callers' file")?;
        outcome?;
        let text = std::fs::read_to_string(&report)
            .with_context(|| format!("Schemathesis left no report; it said:\n{}", self.told().unwrap_or_default()))?;
        let report: Value = serde_json::from_str(&text).context("reading the report")?;
        Report::read(&report, &callers.admitted)
    }

    async fn call(&self, asked: &Asked, callers: &Path, report: &Path) -> anyhow::Result<()> {
        let told = programs::workspace().join("tests").join("schemathesis");
        let phases = match (asked.short, self.role) {
            (false, _) => "examples,coverage,fuzzing,stateful",
            // What the document's bounds dictate is the same for everybody; the administrator gets furthest.
            (true, Role::Administrator) => "examples,coverage,fuzzing",
            (true, _) => "examples,fuzzing",
        };
        let mut command = crate::exec::command(self.program, None, crate::exec::Death::Kill)?;
        command.arg("--config-file").arg(told.join("schemathesis.toml"));
        command.args(["run", &format!("{}/openapi.json", self.url), "--phases", phases, "--no-color"]);
        command.args(["--seed", &asked.seed.to_string(), "--max-examples", &asked.examples.to_string()]);
        command.args(["--report", "json", "--report-json-path"]).arg(report);
        command.current_dir(self.folder).env("SCHEMATHESIS_HOOKS", told.join("hooks.py")).env("COLUMNS", "120");
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("WB_SCHEMATHESIS_CALLERS", callers);
        let said = std::fs::File::create(self.file("txt")).context("making a file for what it says")?;
        command.stdin(std::process::Stdio::null()).stdout(said.try_clone().context("sharing the file")?).stderr(said);
        let mut child = crate::exec::spawn(command).context("starting Schemathesis")?;
        let mut ended = None;
        let outcome = crate::wait::until("Schemathesis ends", PATIENCE, || {
            ended = child.try_wait().ok().flatten();
            ended.is_some()
        })
        .await;
        if outcome.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        outcome?;
        // 1 is failures, which the report tells better; anything above is a run that could not be.
        match ended.and_then(|status| status.code()) {
            Some(0 | 1) => Ok(()),
            code => bail!("Schemathesis ended with {code:?}:\n{}", self.told()?),
        }
    }
}
