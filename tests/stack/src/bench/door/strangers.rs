//! Whether the time of a refusal tells a person from a stranger: three kinds of wrong sign-ins in turns, so that whatever
//! else the machine does meets all of them, compared by their medians and by the test of Mann and Whitney.

use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::json;

use super::super::Figure;
use super::http;
use crate::Stack;

/// Of each kind.
const TIMES: usize = 500;
/// Two-sided, p = 0.01: a larger deviation is no chance.
const CHANCE: f64 = 2.576;

/// Everybody is tried once, because who guesses twice waits.
const PEOPLE: &str = "
    WITH one AS (SELECT password_hash FROM users LIMIT 1),
         people AS (
             INSERT INTO users (id, email, name, password_hash, status, created_at)
             SELECT gen_random_uuid(), kind || n || '@people.example.org', 'Person', one.password_hash, kind, now()
             FROM generate_series(0, $1::int - 1) AS n, unnest(ARRAY['active', 'inactive']) AS kind, one
             RETURNING id)
    INSERT INTO memberships (enterprise_id, user_id, created_at) SELECT e.id, p.id, now() FROM enterprises AS e, people AS p";

/// Refusals of strangers against those of people whose password is wrong, and of people who may not sign in.
pub(super) async fn figure(stack: &Stack) -> anyhow::Result<Figure> {
    let times = i32::try_from(TIMES + 1)?;
    sqlx::query(PEOPLE).bind(times).execute(&mut stack.servers.admin(&stack.database).await?).await?;
    let (http, login) = (http()?, stack.api_url.clone() + "/auth/login");
    let kinds = ["stranger", "active", "inactive"];
    let mut taken: [Vec<f64>; 3] = Default::default();
    for number in 0..=TIMES {
        for place in 0..kinds.len() {
            // Each comes first as often as the others.
            let kind = (place + number) % kinds.len();
            let email = format!("{}{number}@people.example.org", kinds[kind]);
            let begin = Instant::now();
            let request = http.post(&login).json(&json!({ "email": email, "password": "what it may be" }));
            let response = request.send().await.context("signing in")?;
            ensure!(response.status().as_u16() == 401, "signing in answered {}", response.status());
            response.bytes().await.context("reading")?;
            if number > 0 {
                taken[kind].push(begin.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    let [strangers, active, inactive] = taken;
    let medians = [&strangers, &active, &inactive].map(|times| median(times));
    let deviations = [&active, &inactive].map(|times| deviation(&strangers, times));
    let apart = medians[1..].iter().map(|median| (median / medians[0] - 1.0).abs()).fold(0.0, f64::max);
    let reached = format!(
        "medians {:.2}, {:.2} and {:.2} ms of {TIMES} each; z = {:.2} and {:.2}",
        medians[0], medians[1], medians[2], deviations[0], deviations[1]
    );
    let held = apart <= 0.1 && deviations.iter().all(|deviation| deviation.abs() < CHANCE);
    Ok(Figure {
        what: "how long a stranger, a wrong password and a person who may not sign in are refused",
        promise: "medians within 10 %, |z| < 2.58 (Mann-Whitney, p > 0.01)",
        reached,
        held,
    })
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    f64::midpoint(times[(times.len() - 1) / 2], times[times.len() / 2])
}

/// How many standard deviations the rank sum of these lies beside that of chance; Mann and Whitney's U is normal for so many.
fn deviation(these: &[f64], others: &[f64]) -> f64 {
    let mut all: Vec<_> =
        these.iter().map(|time| (*time, true)).chain(others.iter().map(|time| (*time, false))).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let ranks: f64 = all.iter().enumerate().filter(|(_, (_, ours))| *ours).map(|(place, _)| place as f64 + 1.0).sum();
    let (n, m) = (these.len() as f64, others.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shifted_is_told_from_what_is_mixed() {
        let numbers = |begin: u32| (0..500).map(move |n| f64::from(begin + n)).collect::<Vec<_>>();
        let (even, odd): (Vec<_>, Vec<_>) = (0..1000).map(f64::from).partition(|n| n % 2.0 == 0.0);
        assert!(deviation(&even, &odd).abs() < CHANCE);
        assert!(deviation(&numbers(0), &numbers(50)) < -CHANCE);
        assert!(deviation(&numbers(50), &numbers(0)) > CHANCE);
        // By hand: ranks 1, 2 of four; U = 0, its mean 2, its deviation √(2·2·5/12).
        assert!((deviation(&[1.0, 2.0], &[3.0, 4.0]) + 2.0 / (5.0_f64 / 3.0).sqrt()).abs() < 1e-9);
        assert!((median(&[3.0, 1.0, 2.0, 10.0]) - 2.5).abs() < 1e-9);
    }
}
