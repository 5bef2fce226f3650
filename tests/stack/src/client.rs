//! A client of the API as anybody could write it: JSON over HTTP with a bearer token.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::wait;

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null if there is none.
    pub body: Value,
}

impl Answer {
    /// The stable code of a problem, or nothing.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its status.
    pub status: u16,
    /// Its headers, by name.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// A signed-in client.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    stays: Option<Arc<Stays>>,
}

/// Who signs in anew when the session is over.
#[derive(Debug)]
struct Stays {
    email: String,
    password: String,
    token: RwLock<String>,
}

impl Stays {
    fn token(&self) -> String {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Client {
    /// A client that is not signed in.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let http =
            reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build().context("making a client")?;
        Ok(Self { http, base: base.to_owned(), token: None, stays: None })
    }

    /// The same person at another address of the same API.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// Signs in.
    pub async fn sign_in(mut self, email: &str, password: &str) -> anyhow::Result<Self> {
        let answer = self.post("/auth/login", json!({ "email": email, "password": password })).await?;
        self.token = Some(text(&answer, "accessToken")?);
        Ok(self)
    }

    /// Signs in, and again whenever the session is over: for what takes longer than one.
    pub async fn stay_signed_in(self, email: &str, password: &str) -> anyhow::Result<Self> {
        let signed_in = self.sign_in(email, password).await?;
        let token = RwLock::new(signed_in.token.clone().unwrap_or_default());
        let stays = Arc::new(Stays { email: email.to_owned(), password: password.to_owned(), token });
        Ok(Self { stays: Some(stays), ..signed_in })
    }

    /// The same client with this access token or service key, or with none.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), stays: None, ..self.clone() }
    }

    /// Asks and takes any answer.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Answer> {
        self.ask_with(method, path, body, &[]).await
    }

    /// Asks with further headers and takes any answer. A body that is a text is sent as it is, any other as JSON.
    pub async fn ask_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let Some(stays) = &self.stays else {
            return self.send(method, path, body, headers, self.token.as_deref()).await;
        };
        let answer = self.send(method.clone(), path, body.clone(), headers, Some(&stays.token())).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Stays { email, password, token } = stays.as_ref();
        let login = json!({ "email": email, "password": password });
        let again = self.send(Method::POST, "/auth/login", Some(login), &[], None).await?;
        let fresh = text(&again.body, "accessToken")?;
        fresh.clone_into(&mut token.write().unwrap_or_else(PoisonError::into_inner));
        self.send(method, path, body, headers, Some(&fresh)).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
        token: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request = with_body(request, body.as_ref());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.with_context(|| format!("{method} {path}"))?;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or(Value::Null) };
        Ok(Answer { status, headers, body })
    }

    /// Asks and takes any answer as it comes: its status, and its headers and body as text.
    pub async fn raw(&self, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<(u16, String)> {
        let asked = || format!("{method} {path}");
        let method = method.to_uppercase().parse().with_context(asked)?;
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request = with_body(request, body.as_ref());
        let response = request.send().await.with_context(asked)?;
        let (status, headers) = (response.status().as_u16(), format!("{:?}", response.headers()));
        let body = response.bytes().await.with_context(asked)?;
        Ok((status, format!("{headers}\n{}", String::from_utf8_lossy(&body))))
    }

    /// Asks under this request id and takes any answer byte for byte.
    pub async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        request_id: &str,
    ) -> anyhow::Result<Exchange> {
        let asked = || format!("{method} {path}");
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        request = request.header("X-Request-Id", request_id);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request = with_body(request, body);
        let response = request.send().await.with_context(asked)?;
        let told = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (status, mut headers) =
            (response.status().as_u16(), response.headers().iter().map(told).collect::<Vec<_>>());
        headers.sort();
        Ok(Exchange { status, headers, body: response.bytes().await.with_context(asked)?.to_vec() })
    }

    async fn succeed(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let answer = self.ask(method.clone(), path, body).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        bail!("{method} {path} answered {}: {}", answer.status, answer.body)
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.succeed(Method::GET, path, None).await
    }

    /// Posts.
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.succeed(Method::POST, path, Some(body)).await
    }

    /// Puts.
    pub async fn put(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.succeed(Method::PUT, path, Some(body)).await
    }

    /// Changes a part.
    pub async fn patch(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.succeed(Method::PATCH, path, Some(body)).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.succeed(Method::DELETE, path, None).await
    }

    /// Asks and takes only the status and the code of the problem, if it is one.
    pub async fn outcome(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<(u16, String)> {
        let answer = self.ask(method, path, body).await?;
        Ok((answer.status.as_u16(), answer.code().to_owned()))
    }

    /// Posts and expects the refusal with this code; returns its words.
    pub async fn refused(&self, path: &str, body: Value, code: &str) -> anyhow::Result<String> {
        let answer = self.ask(Method::POST, path, Some(body)).await?;
        if answer.status.is_client_error() && answer.code() == code {
            return text(&answer.body, "detail");
        }
        bail!("POST {path} should be refused with {code}, it answered {}: {}", answer.status, answer.body)
    }

    /// All rows of a list, page by page.
    pub async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let join = if path.contains('?') { '&' } else { '?' };
        let (mut rows, mut after) = (Vec::new(), None::<String>);
        loop {
            let from = after.map_or_else(String::new, |after| format!("&after={after}"));
            let page = self.get(&format!("{path}{join}limit=1000{from}")).await?;
            rows.extend(page["items"].as_array().context("a list has items")?.iter().cloned());
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Sends a file and takes any answer.
    pub async fn upload(&self, path: &str, file: Vec<u8>) -> anyhow::Result<Answer> {
        let mut request = self.http.post(format!("{}{path}", self.base)).body(file);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.header("content-type", FILE).send().await.with_context(|| format!("POST {path}"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.with_context(|| format!("POST {path}"))?;
        Ok(Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
    }

    /// A file, with the headers that it came under.
    pub async fn download(&self, path: &str) -> anyhow::Result<(HeaderMap, Vec<u8>)> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.with_context(|| format!("GET {path}"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.with_context(|| format!("GET {path}"))?;
        if !status.is_success() {
            bail!("GET {path} answered {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok((headers, body.to_vec()))
    }

    /// Reads again and again until it is as wished.
    pub async fn until(&self, path: &str, limit: Duration, wished: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        wait::until_ok(&format!("GET {path}"), limit, async || {
            let answer = self.get(path).await?;
            if wished(&answer) { Ok(answer) } else { bail!("it last answered {answer}") }
        })
        .await
    }
}

const FILE: &str = "application/octet-stream";

fn with_body(request: RequestBuilder, body: Option<&Value>) -> RequestBuilder {
    match body {
        Some(Value::String(text)) => request.header("content-type", FILE).body(text.clone()),
        Some(body) => request.json(body),
        None => request,
    }
}

/// A text field that must be there.
pub fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("{field} is missing in {value}"))
}
