//! One call: the token's rights, the budget, the breaker, the exchange itself, and what its end means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, redirect, retry};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use super::breaker::{Breakers, Health};
use super::budget::{Budget, Cost, Priority};
use super::error::{CallError, Envelope};
use super::limits::{Group, Host};
use super::{Hosts, Noticed, Seller, SellerToken, methods};
use crate::{Error, Result};

const USER_AGENT: &str = concat!("wb-assistant/", env!("CARGO_PKG_VERSION"));
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE_CALL: Duration = Duration::from_secs(30);
const LARGEST_ANSWER: usize = 20 * 1024 * 1024;
const RETRIES_OF_A_READ: u32 = 2;
/// A job has 90 seconds: a read that already took this long is not repeated.
const RETRY_WITHIN: Duration = Duration::from_secs(25);
const WAIT_AFTER_429: Duration = Duration::from_secs(1);

/// The one connection pool to Wildberries of a program. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    hosts: Hosts,
    budget: Budget,
    breakers: Breakers,
}

impl Client {
    /// Connects to nothing yet.
    pub fn new(hosts: Hosts, budget: Budget) -> Result<Self> {
        for (name, url) in [("common", &hosts.common), ("content", &hosts.content), ("marketplace", &hosts.marketplace)]
        {
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
                return Err(Error::invalid(format!("hosts.{name}"), "is not an http address"));
            }
        }
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT)
            .timeout(WHOLE_CALL)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .build()
            .map_err(|problem| Error::unavailable("the HTTP client", problem))?;
        Ok(Self(Arc::new(Inner { http, hosts, budget, breakers: Breakers::default() })))
    }

    /// What this seller's token may ask and do.
    pub fn seller(&self, token: SellerToken) -> Seller {
        Seller { client: self.clone(), token: Arc::new(token), priority: None, noticed: Noticed::default() }
    }

    fn base(&self, host: Host) -> &Url {
        match host {
            Host::Common => &self.0.hosts.common,
            Host::Content => &self.0.hosts.content,
            Host::Marketplace => &self.0.hosts.marketplace,
        }
    }
}

/// What is asked of Wildberries.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    group: Group,
    priority: Priority,
    writes: bool,
    method: Method,
    /// Segments; each is escaped, whatever is in it.
    path: &'a [&'a str],
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl<'a> Request<'a> {
    pub fn read(group: Group, priority: Priority, path: &'a [&'a str]) -> Self {
        Self { group, priority, writes: false, method: Method::GET, path, query: Vec::new(), body: None }
    }

    pub fn write(group: Group, method: Method, path: &'a [&'a str]) -> Self {
        Self { group, priority: Priority::Urgent, writes: true, method, path, query: Vec::new(), body: None }
    }

    /// A question that does not fit into an address.
    pub fn asking(self, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..self }
    }

    pub fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub fn query(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(self.path);
        }
        url
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Seller {
    /// The answer as JSON.
    pub(super) async fn ask(&self, request: Request<'_>) -> Result<Value, CallError> {
        self.may(&request)?;
        let began = Instant::now();
        let mut retries = 0;
        loop {
            let error = match self.attempt(&request).await.and_then(|body| json(&body)) {
                Ok(value) => {
                    if let Some(called) = methods::of(&request.method, request.path) {
                        self.noticed.look(called, &value);
                    }
                    return Ok(value);
                }
                Err(error) => error,
            };
            let passes = matches!(
                error,
                CallError::Unreachable { .. } | CallError::Server { .. } | CallError::Unreadable { .. }
            );
            if request.writes || !passes || retries == RETRIES_OF_A_READ || began.elapsed() > RETRY_WITHIN {
                return Err(error);
            }
            retries += 1;
            tokio::time::sleep(Duration::from_millis(rand::random_range(1_000..2_000))).await;
        }
    }

    /// Only whether it worked.
    pub(super) async fn tell(&self, request: Request<'_>) -> Result<(), CallError> {
        self.may(&request)?;
        self.attempt(&request).await.map(drop)
    }

    fn may(&self, request: &Request<'_>) -> Result<(), CallError> {
        match request.group.category() {
            Some(category) if !category.is_in(self.token.categories) => Err(CallError::LacksCategory(category)),
            _ if request.writes && self.token.read_only => Err(CallError::ReadOnly),
            _ => Ok(()),
        }
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Vec<u8>, CallError> {
        let (client, token) = (&self.client.0, &self.token);
        let (group, host) = (request.group, request.group.host());
        let priority = self.priority.unwrap_or(request.priority);
        let permit = client.budget.take(token.seller_id, token.kind, group, request.writes, priority).await?;
        if let Err(retry_after) = client.breakers.admit(token.seller_id, host) {
            permit.settle(Cost::NotSent).await;
            return Err(CallError::BreakerOpen { retry_after });
        }
        let began = Instant::now();
        let result = self.exchange(request).await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = result.as_ref().map_or(0, |answer| answer.status.as_u16());
        tracing::debug!(wb.group = group.as_str(), wb.method = %request.method, wb.status = status, wb.ms = ms, "Called Wildberries");

        client.breakers.record(token.seller_id, host, health(&result));
        permit.settle(cost(&result)).await;
        let answer = result?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(CallError::Throttled { retry_after: wanted_silence(&answer.headers) });
        }
        Err(Envelope::read(&answer.body).into_error(answer.status.as_u16()))
    }

    async fn exchange(&self, request: &Request<'_>) -> Result<Answer, CallError> {
        let mut authorization = HeaderValue::from_str(self.token.token.expose_secret().trim()).map_err(|_| {
            CallError::Unauthorized { detail: "the token has characters that cannot be sent".to_owned() }
        })?;
        authorization.set_sensitive(true);
        let url = request.url(self.client.base(request.group.host()));
        let mut http = self.client.0.http.request(request.method.clone(), url).header(AUTHORIZATION, authorization);
        if !request.query.is_empty() {
            http = http.query(&request.query);
        }
        if let Some(body) = &request.body {
            http = http.json(body);
        }
        let mut response = http.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(CallError::Unreadable { why: "it is larger than 20 MiB".to_owned() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

fn json(body: &[u8]) -> Result<Value, CallError> {
    let value: Value = serde_json::from_slice(body).map_err(|why| CallError::Unreadable { why: why.to_string() })?;
    match Envelope::of_refusal_inside(&value) {
        Some(Envelope { code, detail, data }) => Err(CallError::Refused { status: 200, code, detail, data }),
        None => Ok(value),
    }
}

fn unreachable(error: reqwest::Error) -> CallError {
    CallError::Unreachable { sent: !error.is_connect() && !error.is_builder(), source: error.without_url() }
}

fn health(result: &Result<Answer, CallError>) -> Health {
    match result {
        Ok(answer) if answer.status.is_server_error() => Health::Faulty,
        Err(CallError::Unreachable { .. }) => Health::Silent,
        _ => Health::Answered,
    }
}

fn cost(result: &Result<Answer, CallError>) -> Cost {
    match result {
        Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
            Cost::Throttled(wanted_silence(&answer.headers))
        }
        Ok(answer) if answer.status.is_client_error() => {
            Cost::Refused(number(&answer.headers, "x-ratelimit-remaining"))
        }
        Ok(answer) => Cost::Answered(number(&answer.headers, "x-ratelimit-remaining")),
        Err(CallError::Unreachable { sent: false, .. } | CallError::Unauthorized { .. }) => Cost::NotSent,
        Err(_) => Cost::Unknown,
    }
}

fn wanted_silence(headers: &HeaderMap) -> Duration {
    ["x-ratelimit-retry", "retry-after"]
        .into_iter()
        .find_map(|name| number(headers, name))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map_or(WAIT_AFTER_429, |silence| silence.clamp(Duration::from_millis(200), Duration::from_hours(24)))
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, path: &[&str]) -> String {
        Request::read(Group::Orders, Priority::Bulk, path).url(&base.parse().expect("an address")).to_string()
    }

    #[test]
    fn foreign_words_in_a_path_stay_one_segment() {
        assert_eq!(
            url("https://a.example", &["api", "v3", "supplies", "WB-GI-1"]),
            "https://a.example/api/v3/supplies/WB-GI-1"
        );
        assert_eq!(
            url("http://a.example:81/prefix/", &["x", "../../y?z=1#w"]),
            "http://a.example:81/prefix/x/..%2F..%2Fy%3Fz=1%23w"
        );
    }

    #[test]
    fn silence_is_as_long_as_they_say_within_reason() {
        let silence = |name: &'static str, value: &str| {
            wanted_silence(&HeaderMap::from_iter([(name.parse().expect("a name"), value.parse().expect("a value"))]))
        };
        assert_eq!(silence("x-ratelimit-retry", "3"), Duration::from_secs(3));
        assert_eq!(silence("retry-after", "2"), Duration::from_secs(2));
        assert_eq!(silence("x-ratelimit-retry", "0"), Duration::from_millis(200));
        assert_eq!(silence("x-ratelimit-retry", "1e300"), WAIT_AFTER_429);
        assert_eq!(silence("x-ratelimit-retry", "soon"), WAIT_AFTER_429);
        assert_eq!(silence("x-other", "9"), WAIT_AFTER_429);
    }

    #[test]
    fn a_refusal_inside_a_success_is_a_refusal() {
        let refused = json(br#"{"data":null,"error":true,"errorText":"no"}"#).expect_err("a refusal");
        assert!(matches!(refused, CallError::Refused { status: 200, .. }));
        assert!(matches!(json(br#"{"orders":["#), Err(CallError::Unreadable { .. })));
    }
}
