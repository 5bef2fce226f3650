//! Child programs: their environment, their last words, and that they end with their owner.

use std::{path::PathBuf, time::Duration};

use nix::sys::signal::Signal;
use stack::{
    programs::{Environment, Program, Recipe, Secrets},
    servers::Scratch,
    wait,
};

const SOON: Duration = Duration::from_secs(10);

fn shell(scratch: &Scratch, script: &str) -> Recipe {
    let (secrets, kek_file) = Secrets::of(scratch.path()).unwrap();
    let environment = Environment {
        database_url: "postgres:///wb".into(),
        redis_url: "redis://127.0.0.1/0".into(),
        wildberries_url: "http://127.0.0.1:1".into(),
        kek_file,
        jwt_keys: secrets.jwt_keys,
        health_token: secrets.health_token,
        further: [("WORKER_QUEUES".to_owned(), "print".to_owned())].into(),
    };
    Recipe {
        name: "shell".into(),
        program: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".into(), script.into()],
        environment,
        logs: scratch.path().join("logs"),
    }
}

#[tokio::test]
async fn a_program_sees_the_environment_of_the_stack_only() {
    let scratch = Scratch::create().await.unwrap();
    let recipe =
        shell(&scratch, "echo \"[$WB_BASE_URL_CONTENT $WORKER_QUEUES $WB_ENV $CARGO_MANIFEST_DIR]\"; sleep 60");
    let mut program = Program::start(recipe).unwrap();
    program.wait_for_line("[http://127.0.0.1:1 print demo ]", SOON).await.unwrap();
    assert!(program.resident_bytes().unwrap() > 0);
}

#[tokio::test]
async fn secrets_stay_the_same_for_the_same_folder() {
    let scratch = Scratch::create().await.unwrap();
    let (first, file) = Secrets::of(scratch.path()).unwrap();
    let (second, _) = Secrets::of(scratch.path()).unwrap();
    assert_eq!((&first.jwt_keys, &first.kek), (&second.jwt_keys, &second.kek));
    assert_eq!(std::fs::read_to_string(file).unwrap(), format!("{}\n", first.kek));
}

#[tokio::test]
async fn input_is_read_and_a_failure_has_last_words() {
    let scratch = Scratch::create().await.unwrap();
    shell(&scratch, "read word; test \"$word\" = secret").run("secret\n").await.unwrap();
    let error = shell(&scratch, "echo no such table; exit 3").run("").await.unwrap_err().to_string();
    assert!(error.contains("shell ended") && error.contains("no such table"), "{error}");
}

#[tokio::test]
async fn a_program_that_ends_is_never_ready() {
    let scratch = Scratch::create().await.unwrap();
    let mut program = Program::start(shell(&scratch, "echo the port is taken; exit 1")).unwrap();
    let error = program.wait_ready("http://127.0.0.1:9/health/ready", SOON).await.unwrap_err().to_string();
    assert!(error.contains("the port is taken"), "{error}");
}

#[tokio::test]
async fn a_program_is_stopped_killed_and_started_again() {
    let scratch = Scratch::create().await.unwrap();
    let mut program =
        Program::start(shell(&scratch, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done")).unwrap();
    program.wait_for_line("up", SOON).await.unwrap();
    let first = program.pid();

    assert!(program.stop(SOON).await.unwrap().success());
    program.wait_for_line("bye", SOON).await.unwrap();
    program.restart().await.unwrap();

    assert_ne!(program.pid(), first);
    program.pause().unwrap();
    program.signal(Signal::SIGTERM).unwrap();
    assert!(program.ended().is_none());
    assert!(!program.kill().await.unwrap().success());
    wait::until("it is gone", SOON, || !PathBuf::from(format!("/proc/{}", program.pid())).exists()).await.unwrap();
}
