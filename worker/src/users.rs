//! Letters to people: written in two languages and sent. And what is deleted of people's sign-ins: old sessions, letters.

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::jobs::{Job, JobRow, Queue};
use shared::users::letters::{self, LetterKind, SendLetter, Written};
use shared::users::sessions;
use shared::{Result, db::Db, schedules};
use tracing::{info, warn};

use crate::ctx::Ctx;
use crate::registry::Run;

const PRUNE_EVERY: std::time::Duration = std::time::Duration::from_hours(1);
const PRUNE_AT_ONCE: i64 = 1000;

/// The token is made here and lies nowhere but in the mail. An attempt that failed leaves a token that nobody knows; the next
/// one makes another.
impl Run for SendLetter {
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        let Some(mail) = &ctx.mail else {
            warn!(letter.id = %self.letter_id, "There is no mail server: the letter is not sent");
            return Ok(());
        };
        let mut tx = ctx.db.platform().await?;
        let written = letters::write(&mut tx, self.letter_id).await?;
        tx.commit().await?;
        let Some(written) = written else {
            info!(letter.id = %self.letter_id, "Nobody is to get the letter");
            return Ok(());
        };
        let link = written.token.as_ref().map(|token| letters::link(ctx.public_url.as_ref(), written.kind, token));
        let (subject, text) = in_words(&written, link.as_ref().map_or("", |link| link.expose_secret()));
        mail.send(&written.email, subject, text).await?;
        let mut tx = ctx.db.platform().await?;
        letters::note_sent(&mut tx, self.letter_id).await?;
        tx.commit().await
    }
}

fn in_words(written: &Written, link: &str) -> (&'static str, String) {
    let Written { kind, name, enterprise, expires_at, .. } = written;
    let enterprise = enterprise.as_deref().unwrap_or_default();
    let until = expires_at.format("%d.%m.%Y %H:%M UTC");
    match kind {
        LetterKind::Invitation => (
            "Приглашение в WB Assistant / Invitation to WB Assistant",
            format!(
                "Здравствуйте, {name}!\n\n\
                 Вас приглашают в предприятие «{enterprise}». Чтобы принять приглашение, откройте ссылку:\n{link}\n\
                 Она действует до {until} и только один раз. Если вы не ждали приглашения, ничего не делайте.\n\n\
                 ---\n\n\
                 Hello {name},\n\n\
                 you are invited to the enterprise “{enterprise}”. To accept, open the link above. It is good until {until} and\n\
                 once only. If you did not expect this, do nothing.\n"
            ),
        ),
        LetterKind::PasswordReset => (
            "Новый пароль WB Assistant / New password for WB Assistant",
            format!(
                "Здравствуйте, {name}!\n\n\
                 Чтобы выбрать новый пароль, откройте ссылку:\n{link}\n\
                 Она действует до {until} и только один раз. Если вы этого не просили, ничего не делайте: пароль прежний.\n\n\
                 ---\n\n\
                 Hello {name},\n\n\
                 to choose a new password, open the link above. It is good until {until} and once only. If you did not ask for\n\
                 it, do nothing: your password stays as it is.\n"
            ),
        ),
        LetterKind::EmailChange => (
            "Новый адрес почты для WB Assistant / New e-mail address for WB Assistant",
            format!(
                "Здравствуйте, {name}!\n\n\
                 Чтобы входить в WB Assistant с этим адресом и получать письма сюда, откройте ссылку:\n{link}\n\
                 Она действует до {until} и только один раз. Если вы этого не просили, ничего не делайте.\n\n\
                 ---\n\n\
                 Hello {name},\n\n\
                 to sign in to WB Assistant with this address and to be written to here, open the link above. It is good until\n\
                 {until} and once only. If you did not ask for it, do nothing.\n"
            ),
        ),
        LetterKind::EmailChanged => (
            "Адрес почты изменён / Your e-mail address was changed",
            format!(
                "Здравствуйте, {name}!\n\n\
                 Адрес вашей почты в WB Assistant изменён, с этим адресом вы больше не входите. Если это сделали не вы, сразу\n\
                 обратитесь к администратору.\n\n\
                 ---\n\n\
                 Hello {name},\n\n\
                 your e-mail address at WB Assistant was changed: you do not sign in with this one any more. If it was not you,\n\
                 turn to your administrator at once.\n"
            ),
        ),
        LetterKind::TokenReused => (
            "Сеанс завершён из предосторожности / A session was ended as a precaution",
            format!(
                "Здравствуйте, {name}!\n\n\
                 Один из ваших сеансов завершён: его ключом воспользовались дважды, возможно, его украли. Если вы не уверены, что\n\
                 дело в неполадке связи, смените пароль:\n{link}\n\
                 Ссылка действует до {until} и только один раз.\n\n\
                 ---\n\n\
                 Hello {name},\n\n\
                 one of your sessions was ended: its token was used twice, perhaps by somebody who stole it. Unless you are sure\n\
                 that it was the network, choose a new password with the link above. It is good until {until} and once only.\n"
            ),
        ),
    }
}

/// Deletes sessions that were over thirty days ago and letters that were over seven days ago, and forgets successors of
/// refresh tokens that nobody may ask for any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PruneSignIns {}

impl Job for PruneSignIns {
    const KIND: &'static str = "users.prune_sign_ins";
    const QUEUE: Queue = Queue::Default;

    fn unique_key(&self) -> Option<String> {
        Some(String::new())
    }
}

impl Run for PruneSignIns {
    async fn run(self, ctx: &Ctx, _row: &JobRow) -> Result<()> {
        loop {
            let mut tx = ctx.db.platform().await?;
            sessions::forget_successors(&mut tx).await?;
            let pruned =
                sessions::prune(&mut tx, PRUNE_AT_ONCE).await? + letters::prune(&mut tx, PRUNE_AT_ONCE).await?;
            tx.commit().await?;
            if pruned < PRUNE_AT_ONCE.unsigned_abs() {
                return Ok(());
            }
        }
    }
}

/// Sets the timer of that.
pub async fn set_timer(db: &Db) -> Result<()> {
    let mut tx = db.platform().await?;
    schedules::set_platform(&mut tx, &PruneSignIns {}, PRUNE_EVERY).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use shared::users::tokens::LetterToken;

    use super::*;

    #[test]
    fn a_letter_names_its_person_and_carries_its_link_once() {
        for kind in [
            LetterKind::Invitation,
            LetterKind::PasswordReset,
            LetterKind::TokenReused,
            LetterKind::EmailChange,
            LetterKind::EmailChanged,
        ] {
            let written = Written {
                kind,
                email: "anna@example.org".to_owned(),
                name: "Анна".to_owned(),
                enterprise: Some("Ромашка".to_owned()),
                token: Some(LetterToken::random()),
                expires_at: DateTime::from_timestamp(1_800_000_000, 0).expect("a moment"),
            };
            let (subject, text) = in_words(&written, "https://wb.example.org/page#token=t");
            assert!(subject.contains(" / "), "{subject}");
            let links = usize::from(kind != LetterKind::EmailChanged);
            assert_eq!(text.matches("https://wb.example.org/page#token=t").count(), links, "{text}");
            assert!(text.contains("Здравствуйте, Анна!") && text.contains("Hello Анна,"), "{text}");
            assert_eq!(text.contains("«Ромашка»"), kind == LetterKind::Invitation, "{text}");
        }
    }
}
