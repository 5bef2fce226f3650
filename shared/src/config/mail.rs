//! The mail server, and where links in letters lead.

use secrecy::SecretString;
use url::Url;

use super::{Mode, Reader};

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// Begun in the open and refused unless it turns to TLS: port 587.
    StartTls,
    /// From the first byte: port 465.
    Implicit,
    /// Not at all: in the demo, or to a server on this machine.
    None,
}

/// The mail server.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Who signs in, and with what.
    pub credentials: Option<(String, SecretString)>,
    /// The sender of letters, `Name <address>` or an address.
    pub from: String,
}

impl Reader<'_> {
    pub(super) fn public_url(&mut self, mode: Mode) -> Option<Url> {
        let text = self.text("PUBLIC_URL")?;
        match Url::parse(&text) {
            Ok(url) if url.scheme() == "https" || mode == Mode::Demo => return Some(url),
            Ok(_) => self.problems.push("PUBLIC_URL: must be https".to_owned()),
            Err(_) => self.problems.push("PUBLIC_URL: is not an address".to_owned()),
        }
        None
    }

    pub(super) fn smtp(&mut self, mode: Mode) -> Option<Smtp> {
        let host = self.text("SMTP_HOST")?;
        let words = [("starttls", SmtpTls::StartTls), ("implicit", SmtpTls::Implicit), ("none", SmtpTls::None)];
        let tls = self.one_of("SMTP_TLS", &words, SmtpTls::StartTls);
        if tls == SmtpTls::None
            && mode == Mode::Production
            && !["localhost", "127.0.0.1", "::1"].contains(&host.as_str())
        {
            self.problems.push("SMTP_TLS: none is for a mail server on this machine only".to_owned());
        }
        let port = match tls {
            SmtpTls::StartTls => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        };
        let port = self.parsed("SMTP_PORT", port);
        let credentials = match (self.text("SMTP_USER"), self.optional_secret("SMTP_PASSWORD")) {
            (Some(user), Some(password)) => {
                self.is_its_own("SMTP_PASSWORD", &password);
                Some((user, password))
            }
            (None, None) => None,
            (Some(_), None) => {
                self.problems.push("SMTP_PASSWORD (or SMTP_PASSWORD_FILE) is missing beside SMTP_USER".to_owned());
                None
            }
            (None, Some(_)) => {
                self.problems.push("SMTP_USER is missing beside SMTP_PASSWORD".to_owned());
                None
            }
        };
        let Some(from) = self.text("SMTP_FROM") else {
            self.problems.push("SMTP_FROM is missing beside SMTP_HOST".to_owned());
            return None;
        };
        Some(Smtp { host, port, tls, credentials, from })
    }
}
