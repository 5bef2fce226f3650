//! What the programs are told: refused where it is weak, and gone from where others could read it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use it::{TestApp, root};
use shared::config::{Config, Mode, Program as Which};
use stack::Role;
use stack::programs::{Profile, Program, Recipe, program};
use stack::servers::Scratch;

const SOON: Duration = Duration::from_secs(30);
const BOTH: [(&str, &str, Role); 2] = [("api", "serve", Role::Api), ("worker", "run", Role::Worker)];

fn recipe(app: &TestApp, scratch: &Scratch, name: &str, command: &str, role: Role) -> Result<Recipe> {
    Ok(Recipe {
        name: name.to_owned(),
        program: program(Profile::Dev, name),
        arguments: vec![command.to_owned()],
        environment: app.environment(scratch.path(), role)?,
        logs: scratch.path().join("logs"),
    })
}

#[tokio::test]
async fn neither_program_works_as_a_superuser() -> Result<()> {
    let (app, scratch) = (TestApp::start().await?, Scratch::create().await?);
    for (name, command, _) in BOTH {
        let mut program = Program::start(recipe(&app, &scratch, name, command, Role::Admin)?)?;
        assert_eq!(program.wait(SOON).await?.code(), Some(78), "{name}");
        let said = fs::read_to_string(program.log())?;
        assert!(said.contains("superuser"), "{name}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_weak_configuration_ends_with_78_one_line_per_problem_and_no_value() -> Result<()> {
    let (app, scratch) = (TestApp::start().await?, Scratch::create().await?);
    for (name, command, role) in BOTH {
        let mut recipe = recipe(&app, &scratch, name, command, role)?;
        recipe.environment = recipe
            .environment
            .with("REDIS_URL", "redis://default:letmein@127.0.0.1:6379")
            .with("HEALTH_TOKEN", "telemetry")
            .with("WB_BASE_URL_CONTENT", "content-host");
        let mut program = Program::start(recipe)?;
        assert_eq!(program.wait(SOON).await?.code(), Some(78), "{name}");
        let said = fs::read_to_string(program.log())?;
        for problem in ["REDIS_URL: ", "HEALTH_TOKEN ", "WB_BASE_URL_CONTENT: "] {
            assert_eq!(said.lines().filter(|line| line.trim_start().starts_with(problem)).count(), 1, "{name}: {said}");
        }
        for value in ["letmein", "telemetry", "content-host"] {
            assert!(!said.contains(value), "{name}: {said}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn secrets_are_gone_from_the_environment_of_a_running_program() -> Result<()> {
    let (app, scratch) = (TestApp::start().await?, Scratch::create().await?);
    for (name, command, role) in BOTH {
        let recipe = recipe(&app, &scratch, name, command, role)?;
        let secrets = {
            let environment = &recipe.environment;
            [&environment.database_url, &environment.redis_url, &environment.jwt_keys, &environment.health_token]
                .map(Clone::clone)
        };
        let mut program = Program::start(recipe)?;
        program.wait_for_line(if name == "api" { "Listening on" } else { "Serving" }, SOON).await?;
        for file in ["environ", "cmdline"] {
            let shown = fs::read(format!("/proc/{}/{file}", program.pid()))?;
            let shown = String::from_utf8_lossy(&shown);
            ensure!(file != "environ" || shown.contains("JWT_KEYS_FILE="), "it is the environment of the program");
            for secret in &secrets {
                assert!(!shown.contains(secret.as_str()), "{name} shows a secret in {file}");
            }
        }
        program.stop(SOON).await?;
    }
    Ok(())
}

/// Every file below the folder with its permissions.
fn tree(folder: &Path) -> Result<BTreeMap<String, u32>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, metadata) = (entry.file_name().to_string_lossy().into_owned(), fs::symlink_metadata(entry.path())?);
        if metadata.is_dir() {
            files.extend(tree(&entry.path())?.into_iter().map(|(file, mode)| (format!("{name}/{file}"), mode)));
        }
        if !metadata.is_symlink() {
            files.insert(name, metadata.permissions().mode() & 0o777);
        }
    }
    Ok(files)
}

/// What docker-compose.server.yml gives a service: the settings, and secrets as files that lie in the folder here.
fn as_compose_has_it(folder: &Path, service: &str) -> Result<BTreeMap<String, String>> {
    let compose: serde_json::Value =
        serde_yaml_ng::from_str(&fs::read_to_string(root().join("docker-compose.server.yml"))?)?;
    let environment = compose["services"][service]["environment"].as_object().context("an environment")?;
    let settings = fs::read_to_string(folder.join(".env"))?;
    let settings = settings.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let all = settings.chain(environment.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))));
    let here = folder.join("secrets").display().to_string();
    Ok(all.map(|(name, value)| (name.to_owned(), value.replace("/run/secrets", &here))).collect())
}

fn starts(folder: &Path) -> Result<()> {
    for (service, which) in [("wb-api", Which::Api), ("wb-worker", Which::Worker)] {
        let variables = as_compose_has_it(folder, service)?;
        let config = Config::read(which, |name| variables.get(name).cloned())?;
        ensure!(config.mode == Mode::Production && config.keyring.current() == "k1");
    }
    Ok(())
}

fn init_secrets(folder: &Path, more: &[&str]) -> Result<String> {
    let output = Command::new(program(Profile::Dev, "api"))
        .args(["admin", "init-secrets", "--dir"])
        .arg(folder)
        .args(more)
        .env_clear()
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn new_secrets_are_private_strong_and_start_the_documented_stack() -> Result<()> {
    let scratch = Scratch::create().await?;
    let folder = scratch.path().join("new");
    let said = init_secrets(&folder, &[])?;
    let files = tree(&folder)?;
    assert_eq!(files["secrets"], 0o700);
    let open: Vec<_> = files.iter().filter(|(name, mode)| *name != "secrets" && **mode != 0o600).collect();
    assert!(open.is_empty() && files.len() > 12, "{files:?}");
    starts(&folder)?;

    let keys = fs::read_to_string(folder.join("secrets/wb_kek"))?;
    assert!(!said.contains(keys.trim()) && said.contains("wrote secrets/wb_kek"), "{said}");
    assert!(!init_secrets(&folder, &[])?.contains("wrote"));
    assert_eq!(fs::read_to_string(folder.join("secrets/wb_kek"))?, keys);
    Ok(())
}

#[tokio::test]
async fn the_script_of_the_server_and_the_command_write_the_same() -> Result<()> {
    let scratch = Scratch::create().await?;
    let (by_script, by_command) = (scratch.path().join("script"), scratch.path().join("command"));
    fs::create_dir_all(by_script.join("deploy"))?;
    fs::copy(root().join("deploy/setup"), by_script.join("deploy/setup"))?;
    fs::copy(root().join(".env.prod.example"), by_script.join(".env.prod.example"))?;
    ensure!(Command::new("sh").arg(by_script.join("deploy/setup")).output()?.status.success());
    init_secrets(&by_command, &["--for-containers"])?;
    starts(&by_script)?;
    starts(&by_command)?;
    fs::remove_dir_all(by_script.join("deploy"))?;
    fs::remove_file(by_script.join(".env.prod.example"))?;
    assert_eq!(tree(&by_script)?, tree(&by_command)?);
    Ok(())
}
