//! Which client it is, as far as that can be told from outside.

use std::net::IpAddr;

use poem::http::header;
use poem::{FromRequest, Request, RequestBody};
use shared::users::sessions::Device;

use crate::edge::ClientAddress;

const USER_AGENT_LENGTH: usize = 200;

/// The client of a request: a parameter of what opens or prolongs a session.
#[derive(Clone, Debug)]
pub struct Client(pub Device);

impl<'a> FromRequest<'a> for Client {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let user_agent = request.header(header::USER_AGENT).map(printable).filter(|text| !text.is_empty());
        Ok(Self(Device { user_agent, address: address(request).map(network) }))
    }
}

/// The client's own address, not that of a proxy before us.
fn address(request: &Request) -> Option<IpAddr> {
    request.data::<ClientAddress>().map(|client| client.ip())
}

fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(USER_AGENT_LENGTH).collect()
}

/// Enough to say where it was, too little to say who: a /24 of IPv4, a /48 of IPv6.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_to_its_network() {
        let table = [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ];
        for (address, cut) in table {
            assert_eq!(network(address.parse().unwrap()), cut);
        }
    }

    #[test]
    fn what_a_client_calls_itself_is_cut_and_cleaned() {
        assert_eq!(printable("curl/8\u{7}.0\n"), "curl/8.0");
        assert_eq!(printable(&"я".repeat(500)).chars().count(), USER_AGENT_LENGTH);
    }
}
