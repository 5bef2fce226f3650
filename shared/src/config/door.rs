//! What the front door believes and allows: whose word about addresses, whose pages, how many requests.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::Reader;
use crate::throttle::Bucket;

/// The settings of the front door.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: TrustedProxies,
    /// Whose pages may call.
    pub origins: Origins,
    /// How much may be asked.
    pub rates: RateLimits,
}

impl Door {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            proxies: reader.of_words("TRUSTED_PROXIES"),
            origins: reader.of_words("CORS_ORIGINS"),
            rates: reader.of_words("RATE_LIMITS"),
        }
    }
}

impl Reader<'_> {
    /// A value that says in words what is wrong with its text, without repeating it.
    fn of_words<T: FromStr<Err = String> + Default>(&mut self, name: &str) -> T {
        match self.text(name).unwrap_or_default().parse() {
            Ok(value) => value,
            Err(problem) => {
                self.problems.push(format!("{name}: {problem}"));
                T::default()
            }
        }
    }
}

fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .enumerate()
        .map(|(index, entry)| (index + 1, entry))
}

/// The networks of the proxies before us. Nobody else is believed about whom a request comes from.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether this is one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = |(index, entry): (usize, &str)| {
            let network = entry.parse().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
            match network {
                Ok(network) if network.prefix_len() == 0 => Err(format!("entry {index} would believe everybody")),
                Ok(network) => Ok(network),
                Err(_) => Err(format!("entry {index} is not a network")),
            }
        };
        entries(text).map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// The sites whose pages may call the API, exactly as browsers name them. None: no page may.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Whether pages of this origin may call.
    pub fn admit(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == origin)
    }
}

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origin = |(index, entry): (usize, &str)| {
            if entry.contains('*') {
                return Err(format!("entry {index} is a pattern: name each site"));
            }
            let exact = Url::parse(entry).is_ok_and(|url| {
                matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == entry
            });
            if exact {
                Ok(entry.to_owned())
            } else {
                Err(format!("entry {index} is not exactly https://host or https://host:port"))
            }
        };
        entries(text).map(origin).collect::<Result<_, _>>().map(Self)
    }
}

/// So many in a time; a bucket of that size, which is full after that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many.
    pub count: u32,
    /// In which time.
    pub window: Duration,
}

impl Allowance {
    /// The same as a bucket.
    pub fn bucket(self) -> Bucket {
        Bucket { rate: f64::from(self.count) / self.window.as_secs_f64(), size: f64::from(self.count) }
    }
}

macro_rules! rates {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $count:literal in $seconds:literal;)+) => {
        /// What is counted, each by itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rate {
            $($(#[$doc])* $name,)+
        }

        impl Rate {
            /// Everything that is counted.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name in `RATE_LIMITS`, keys and headers.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// What is allowed unless `RATE_LIMITS` says otherwise.
            pub fn default_allowance(self) -> Allowance {
                match self { $(Self::$name => Allowance { count: $count, window: Duration::from_secs($seconds) },)+ }
            }
        }
    };
}

rates! {
    /// Requests of callers whom nobody knows (yet), by address.
    Address = "address", 300 in 60;
    /// Requests of one person or key.
    User = "user", 600 in 60;
    /// Requests of all of one enterprise.
    Enterprise = "enterprise", 3000 in 60;
    /// Attempts to sign in, by address.
    SignIn = "signin", 20 in 60;
    /// Attempts to sign in as somebody of one enterprise.
    EnterpriseSignIn = "enterprise_signin", 100 in 60;
    /// Batches of labels of one enterprise.
    Labels = "labels", 60 in 60;
    /// Exports of one enterprise.
    Exports = "exports", 6 in 3600;
    /// Questions of monitors, by address.
    Health = "health", 10 in 1;
}

/// How much is allowed.
#[derive(Clone, Debug)]
pub struct RateLimits(Vec<(Rate, Allowance)>);

impl RateLimits {
    /// What is allowed of this.
    pub fn of(&self, rate: Rate) -> Allowance {
        self.0
            .iter()
            .find(|(known, _)| *known == rate)
            .map_or_else(|| rate.default_allowance(), |(_, allowance)| *allowance)
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self(Rate::ALL.iter().map(|rate| (*rate, rate.default_allowance())).collect())
    }
}

impl FromStr for RateLimits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut limits = Self::default();
        for (index, entry) in entries(text) {
            let (word, count) = entry.split_once('=').ok_or_else(|| format!("entry {index} is not name=number"))?;
            let Some((_, allowance)) = limits.0.iter_mut().find(|(rate, _)| rate.as_str() == word.trim()) else {
                let words: Vec<_> = Rate::ALL.iter().map(|rate| rate.as_str()).collect();
                return Err(format!("entry {index} must name one of {}", words.join(", ")));
            };
            let count = count.trim().parse().ok().filter(|count| (1..=10_000_000).contains(count));
            allowance.count = count.ok_or_else(|| format!("entry {index} is not a number from 1 to 10000000"))?;
        }
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_are_taken() {
        let origins: Origins = "https://wb.example.org, http://localhost:5173".parse().unwrap();
        assert!(origins.admit("https://wb.example.org") && origins.admit("http://localhost:5173"));
        for stranger in
            ["https://wb.example.org.evil.example", "https://wb.example.org:444", "http://wb.example.org", "null", ""]
        {
            assert!(!origins.admit(stranger), "{stranger}");
        }
        for wrong in [
            "*",
            "https://*.example.org",
            "https://example.org/",
            "example.org",
            "null",
            "https://example.org/page",
            "HTTPS://example.org",
        ] {
            assert!(wrong.parse::<Origins>().is_err(), "{wrong}");
        }
        assert!(!"".parse::<Origins>().unwrap().admit("https://wb.example.org"), "an empty list is nobody");
    }

    #[test]
    fn proxies_are_networks_and_never_everybody() {
        let proxies: TrustedProxies = "172.20.0.0/16, 10.0.0.7,fd00::/8".parse().unwrap();
        for (address, trusted) in
            [("172.20.3.4", true), ("10.0.0.7", true), ("fd12::1", true), ("10.0.0.8", false), ("::1", false)]
        {
            assert_eq!(proxies.contain(address.parse().unwrap()), trusted, "{address}");
        }
        for wrong in ["0.0.0.0/0", "::/0", "traefik", "10.0.0.0/33"] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_are_named_and_the_others_stay() {
        let limits: RateLimits = "address=50, enterprise = 9".parse().unwrap();
        assert_eq!(limits.of(Rate::Address).count, 50);
        assert_eq!(limits.of(Rate::Enterprise), Allowance { count: 9, window: Duration::from_mins(1) });
        assert_eq!(limits.of(Rate::User), Rate::User.default_allowance());
        for wrong in ["address", "address=0", "address=many", "everybody=5"] {
            assert!(wrong.parse::<RateLimits>().is_err(), "{wrong}");
        }
    }
}
