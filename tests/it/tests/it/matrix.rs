//! Who may do what, and that no enterprise sees another: proved over every operation of the document.

use anyhow::{Context, Result};
use it::TestApp;
use it::matrix::{Matrix, judge, operations};
use serde_json::{Value, json};
use stack::client::Exchange;

fn document() -> Result<Value> {
    Ok(serde_json::from_str(&api::openapi())?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_what_the_document_says_and_no_enterprise_sees_another() -> Result<()> {
    let app = TestApp::start().await?;
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
    assert!(faults.is_empty(), "{line}\n{}", faults.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_is_gone_and_a_policy_that_is_not_kept_are_noticed() -> Result<()> {
    let app = TestApp::start().await?;
    let mut document = document()?;
    document["paths"]["/printers"]["get"]["x-permission"] = json!(["jobs:read"]);
    let printers = operations(&document)?.into_iter().filter(|operation| operation.path.starts_with("/printers"));
    let matrix = Matrix::over(&app, printers.collect()).await?;
    sqlx::query("ALTER TABLE printers DISABLE ROW LEVEL SECURITY").execute(&mut app.admin().await?).await?;
    let (_, faults) = matrix.walk().await?;
    let noticed = |operation: &str, words: &str| {
        let mut of_it = faults.iter().filter(|fault| fault.operation == operation);
        assert!(of_it.any(|fault| fault.what.contains(words)), "{operation}: {words}: {faults:#?}");
    };
    noticed("get_printer", "404 not_found is due, it answered 200");
    noticed("get_printer", "not the answer to missing path id");
    noticed("list_printers", "which is others'");
    noticed("list_printers", "403 forbidden is due, it answered 200");
    assert!(!faults.iter().any(|fault| fault.operation == "create_printer"), "{faults:#?}");
    Ok(())
}

#[test]
fn an_operation_that_does_not_say_who_may_call_it_is_none() -> Result<()> {
    let mut document = document()?;
    let operation = document["paths"]["/orders"]["get"].as_object_mut().context("an operation")?;
    operation.remove("x-permission");
    let refused = operations(&document).map(|_| ()).unwrap_err();
    assert!(format!("{refused:#}").contains("get /orders: it does not say who may call it"), "{refused:#}");
    Ok(())
}

#[test]
fn answers_that_differ_in_one_word_header_or_status_are_not_the_same() {
    let answer = |status, kind: &str, body: &str| Exchange {
        status,
        headers: vec![("content-type".to_owned(), kind.to_owned()), ("date".to_owned(), body.len().to_string())],
        body: body.as_bytes().to_vec(),
    };
    let (problem, missing) = ("application/problem+json", r#"{"code":"not_found","detail":"order not found"}"#);
    let reference = answer(404, problem, missing);
    assert_eq!(judge::differ(&reference, &answer(404, problem, missing)), None);
    let leaky = [
        answer(404, problem, r#"{"code":"not_found","detail":"order is not yours"}"#),
        answer(404, "text/plain", missing),
        answer(403, problem, missing),
    ];
    for other in &leaky {
        assert!(judge::differ(&reference, other).is_some(), "{other:?}");
    }
    let theirs = "01900000-0000-7000-8000-000000000000";
    let told = answer(200, "application/json", &format!(r#"{{"items":[{{"id":"{theirs}"}}]}}"#));
    let others = [theirs.to_owned()].into();
    assert!(judge::tells(&told, "/orders", &others).is_some());
    assert_eq!(judge::tells(&told, &format!("/orders/{theirs}"), &others), None, "it was asked for");
    assert!(judge::is_not(&reference, 401, "unauthenticated").is_some());
    assert_eq!(judge::is_not(&reference, 404, "not_found"), None);
}
