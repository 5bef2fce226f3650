//! A mail server that keeps what it is given: as much of SMTP as a polite client speaks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use shared::config::{Smtp, SmtpTls};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What arrived.
#[derive(Clone, Debug)]
pub struct Letter {
    /// To whom the envelope was addressed.
    pub to: String,
    /// The text, decoded.
    pub text: String,
}

impl Letter {
    /// What stands behind `#token=` in the letter's link.
    pub fn token(&self) -> Result<String> {
        token_of(self.text.lines().find(|line| line.contains("#token=")).context("the letter has no link")?)
    }
}

/// The token of a link.
pub fn token_of(link: &str) -> Result<String> {
    let (_, token) = link.split_once("#token=").context("the link has no token")?;
    Ok(token.trim().to_owned())
}

/// It listens until it is dropped.
pub struct MailServer {
    address: SocketAddr,
    letters: Arc<Mutex<Vec<Letter>>>,
    listening: JoinHandle<()>,
}

impl MailServer {
    /// On any port.
    pub async fn start() -> Result<Self> {
        Self::at("127.0.0.1:0").await
    }

    /// On this one.
    pub async fn at(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address).await.context("listening for mail")?;
        let (address, letters) = (listener.local_addr()?, Arc::<Mutex<Vec<Letter>>>::default());
        let kept = Arc::clone(&letters);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move { drop(converse(stream, &kept).await) });
            }
        });
        Ok(Self { address, letters, listening })
    }

    /// How to reach it.
    pub fn settings(&self) -> Smtp {
        Smtp {
            host: self.address.ip().to_string(),
            port: self.address.port(),
            tls: SmtpTls::None,
            credentials: Some(("wb".to_owned(), SecretString::from("a password of the mail server"))),
            from: "WB Assistant <wb@example.org>".to_owned(),
        }
    }

    /// What arrived since it was last asked.
    pub fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.letters.lock().expect("nobody panics with it"))
    }

    /// The one letter that arrived.
    pub fn only(&self) -> Result<Letter> {
        let mut letters = self.take();
        ensure!(letters.len() == 1, "{} letters arrived", letters.len());
        letters.pop().context("a letter")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn converse(stream: TcpStream, kept: &Mutex<Vec<Letter>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 here\r\n").await?;
    let (mut to, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb: String = line.chars().take(4).collect::<String>().to_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-here\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN\r\n",
            "AUTH" => b"235 welcome\r\n",
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                b"250 fine\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let letter = Letter { to: to.clone(), text: text_of(&data(&mut stream).await?)? };
                kept.lock().expect("nobody panics with it").push(letter);
                b"250 kept\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 fine\r\n",
        };
        stream.write_all(answer).await?;
    }
}

async fn data(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let (mut data, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        ensure!(stream.read_line(&mut line).await? > 0, "the letter breaks off");
        if line == ".\r\n" {
            return Ok(data);
        }
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

fn text_of(data: &str) -> Result<String> {
    let (head, body) = data.split_once("\r\n\r\n").context("the letter has no body")?;
    let head = head.to_lowercase();
    let bytes = if head.contains("content-transfer-encoding: base64") {
        STANDARD.decode(body.split_whitespace().collect::<String>())?
    } else if head.contains("content-transfer-encoding: quoted-printable") {
        unquoted(body)
    } else {
        body.as_bytes().to_vec()
    };
    Ok(String::from_utf8(bytes)?.replace("\r\n", "\n"))
}

fn unquoted(body: &str) -> Vec<u8> {
    let body = body.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), body.as_bytes());
    while let [first, behind @ ..] = rest {
        let code = behind.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        let (byte, behind) = match code {
            Some(byte) if *first == b'=' => (byte, &behind[2..]),
            _ => (*first, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes
}
