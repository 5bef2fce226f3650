//! Whom a request comes from. The peer of the connection is known; what a header says is believed only of a proxy that
//! `TRUSTED_PROXIES` names, and only the part that this proxy wrote itself: `X-Forwarded-For` is read from the right, and
//! the first address that is not a trusted proxy is the client. `X-Real-IP`, `Forwarded` and the like are not looked at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use poem::http::HeaderMap;
use poem::{FromRequest, Request, RequestBody};
use shared::config::TrustedProxies;

/// The address of whoever sent a request. Every request carries one: take it as a parameter, or from the request's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address itself; IPv4 is never written as IPv6.
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// What one client can be counted by: of IPv6 the network, because every client has a whole one.
    pub fn counted(self) -> String {
        match self.0 {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                format!("{}/64", Ipv6Addr::from(network))
            }
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> FromRequest<'a> for ClientAddress {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(*request.data().expect("the edge lies around all routes"))
    }
}

/// Where a request really comes from, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub client: ClientAddress,
    /// Whether the client speaks TLS to the proxy before us.
    pub secure: bool,
}

pub(super) fn origin(request: &Request, proxies: &TrustedProxies) -> Origin {
    let peer = request.remote_addr().as_socket_addr().map(SocketAddr::ip);
    // A peer without an address is a test that calls the API in-process.
    read(peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), request.headers(), proxies)
}

fn read(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> Origin {
    let peer = peer.to_canonical();
    if !proxies.contain(peer) {
        return Origin { client: ClientAddress(peer), secure: false };
    }
    let mut client = peer;
    for hop in words(headers, "x-forwarded-for").iter().rev() {
        // Whoever wrote this is trusted, what stands further left is not readable to us: this is as far as we know.
        let Some(address) = address(hop) else { break };
        client = address;
        if !proxies.contain(address) {
            break;
        }
    }
    let secure = words(headers, "x-forwarded-proto").last().is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    Origin { client: ClientAddress(client), secure }
}

/// All values of a header that is a list, over all its lines, from the left.
fn words<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("unreadable"));
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

/// With or without a port, IPv6 with or without brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = || hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop).parse().ok();
    let address: Option<IpAddr> = bare().or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderName, HeaderValue};

    use super::*;

    const PROXY: &str = "172.20.0.2";
    const STRANGER: &str = "203.0.113.9";

    type Lines = &'static [(&'static str, &'static str)];

    /// Peer, header lines, whom it comes from. `172.20.0.0/16` and `fd00::/8` are trusted.
    const MATRIX: &[(&str, Lines, &str)] = &[
        // Around the proxy: nothing is believed.
        (STRANGER, &[], STRANGER),
        (STRANGER, &[("x-forwarded-for", "1.2.3.4")], STRANGER),
        (STRANGER, &[("x-forwarded-for", "172.20.0.2")], STRANGER),
        (STRANGER, &[("x-forwarded-for", "127.0.0.1, 172.20.0.2")], STRANGER),
        (STRANGER, &[("x-real-ip", "1.2.3.4")], STRANGER),
        (STRANGER, &[("forwarded", "for=1.2.3.4;proto=https")], STRANGER),
        (
            STRANGER,
            &[("x-client-ip", "1.2.3.4"), ("true-client-ip", "1.2.3.4"), ("cf-connecting-ip", "1.2.3.4")],
            STRANGER,
        ),
        ("::ffff:203.0.113.9", &[("x-forwarded-for", "1.2.3.4")], STRANGER),
        ("2001:db8::7", &[("x-forwarded-for", "1.2.3.4")], "2001:db8::7"),
        ("127.0.0.1", &[("x-forwarded-for", "1.2.3.4")], "127.0.0.1"),
        // Through the proxy: what it wrote.
        (PROXY, &[], PROXY),
        (PROXY, &[("x-forwarded-for", "203.0.113.9")], STRANGER),
        (PROXY, &[("x-forwarded-for", "1.2.3.4, 203.0.113.9")], STRANGER),
        (PROXY, &[("x-forwarded-for", "1.2.3.4,5.6.7.8 ,\t203.0.113.9")], STRANGER),
        (PROXY, &[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "203.0.113.9")], STRANGER),
        (PROXY, &[("x-forwarded-for", "203.0.113.9, 172.20.0.9")], STRANGER),
        (PROXY, &[("x-forwarded-for", "1.2.3.4, 203.0.113.9, 172.20.0.9, fd00::1")], STRANGER),
        (PROXY, &[("x-forwarded-for", "172.20.0.7, 172.20.0.9")], "172.20.0.7"),
        (PROXY, &[("x-forwarded-for", "127.0.0.1, 203.0.113.9")], STRANGER),
        (PROXY, &[("x-forwarded-for", "203.0.113.9:51234")], STRANGER),
        (PROXY, &[("x-forwarded-for", "[2001:db8::7]:443")], "2001:db8::7"),
        (PROXY, &[("x-forwarded-for", "[2001:db8::7]")], "2001:db8::7"),
        (PROXY, &[("x-forwarded-for", "2001:db8::7")], "2001:db8::7"),
        (PROXY, &[("x-forwarded-for", "::ffff:203.0.113.9")], STRANGER),
        (PROXY, &[("x-forwarded-for", "")], PROXY),
        (PROXY, &[("x-forwarded-for", "1.2.3.4, unknown")], PROXY),
        (PROXY, &[("x-forwarded-for", "1.2.3.4, nonsense, 172.20.0.9")], "172.20.0.9"),
        (PROXY, &[("x-forwarded-for", "1.2.3.4, 203.0.113.9,")], PROXY),
        (PROXY, &[("x-forwarded-for", "1.2.3.999")], PROXY),
        (PROXY, &[("x-real-ip", "1.2.3.4"), ("x-forwarded-for", "203.0.113.9")], STRANGER),
        (PROXY, &[("forwarded", "for=1.2.3.4"), ("x-client-ip", "1.2.3.4")], PROXY),
        ("::ffff:172.20.0.2", &[("x-forwarded-for", "203.0.113.9")], STRANGER),
        ("fd00::2", &[("x-forwarded-for", "203.0.113.9")], STRANGER),
    ];

    fn proxies() -> TrustedProxies {
        "172.20.0.0/16,fd00::/8".parse().unwrap()
    }

    fn seen(peer: &str, lines: &[(&str, &str)]) -> Origin {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        read(peer.parse().unwrap(), &headers, &proxies())
    }

    #[test]
    fn nobody_can_say_that_he_is_somebody_else() {
        const { assert!(MATRIX.len() >= 25) };
        for (peer, lines, expected) in MATRIX {
            assert_eq!(seen(peer, lines).client.to_string(), *expected, "{peer} with {lines:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_knows_of_tls() {
        for (peer, proto, secure) in [
            (PROXY, "https", true),
            (PROXY, "HTTPS", true),
            (PROXY, "http", false),
            (PROXY, "https, http", false),
            (STRANGER, "https", false),
        ] {
            assert_eq!(seen(peer, &[("x-forwarded-proto", proto)]).secure, secure, "{peer} {proto}");
        }
    }

    #[test]
    fn a_client_with_a_whole_network_is_one_client() {
        let counted = |address: &str| ClientAddress(address.parse().unwrap()).counted();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), counted("2001:db8:1:2::1"));
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
        assert_eq!(counted("203.0.113.9"), "203.0.113.9");
    }
}
