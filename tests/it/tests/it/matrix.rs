//! Who may do what, and that no enterprise sees another: proved over every operation of the document.

use anyhow::Result;
use it::TestApp;
use it::matrix::{Matrix, operations};
use serde_json::Value;

fn document() -> Result<Value> {
    Ok(serde_json::from_str(&api::openapi())?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_what_the_document_says_and_no_enterprise_sees_another() -> Result<()> {
    let app = TestApp::start().await?;
    let begun = std::time::Instant::now();
    let (size, faults) = Matrix::over(&app, operations(&document()?)?).await?.walk().await?;
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let line = format!(
        "matrix: {} operations, {} callers, {} cases, {} exceptions",
        size.operations,
        size.callers,
        size.cases,
        faults.len()
    );
    println!("{line}");
    eprintln!("{:?}", begun.elapsed());
    assert!(faults.is_empty(), "{line}\n{}", faults.join("\n"));
    Ok(())
}
