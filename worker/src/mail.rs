//! Letters out into the world, over SMTP.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use shared::config::{Smtp, SmtpTls};
use shared::{Error, Result};

/// For the whole conversation: a letter is small.
const PATIENCE: Duration = Duration::from_secs(20);

/// The mail server. Each letter is a connection of its own: they are few.
#[derive(Clone, Debug)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mail {
    /// Fails only on what makes no sense; the server is asked when there is something to send.
    pub fn new(smtp: &Smtp) -> Result<Self> {
        let wrong = |name| move |_| Error::invalid(name, "cannot be used");
        let from = smtp.from.parse().map_err(|_| Error::invalid("SMTP_FROM", "is not an address of e-mail"))?;
        let transport = match smtp.tls {
            SmtpTls::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&smtp.host),
            SmtpTls::Implicit => AsyncSmtpTransport::<Tokio1Executor>::relay(&smtp.host),
            SmtpTls::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)),
        };
        let mut transport = transport.map_err(wrong("SMTP_HOST"))?.port(smtp.port).timeout(Some(PATIENCE));
        if let Some((user, password)) = &smtp.credentials {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: transport.build(), from })
    }

    /// Sends one letter of plain text. A server that is away or busy is [`Error::Unavailable`]; one that does not want the
    /// letter is not asked again.
    pub async fn send(&self, to: &str, subject: &str, text: String) -> Result<()> {
        let to: Mailbox = to.parse().map_err(|_| Error::invalid("email", "is not an address that mail can go to"))?;
        let message = self
            .envelope(to, subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| Error::Inconsistent(format!("a letter cannot be written: {error}")))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => {
                Err(Error::Inconsistent(format!("the mail server does not take the letter: {}", code(&error))))
            }
            Err(error) => Err(Error::unavailable("the mail server", error)),
        }
    }

    fn envelope(&self, to: Mailbox, subject: &str) -> MessageBuilder {
        Message::builder().from(self.from.clone()).to(to).subject(subject)
    }
}

/// What it answered may repeat the letter: its number says enough.
fn code(error: &lettre::transport::smtp::Error) -> String {
    error.status().map_or_else(|| "no code".to_owned(), |code| code.to_string())
}
