//! Which addresses a printer may have. Printers are named by users and live on private networks, where everything
//! else lives too: only networks the operator has written down are reachable, and some never are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

/// Where a printer listens, as its card says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name with a dot, or an IP address.
    pub host: String,
    /// A TCP port; on a real network one of those raw printers use.
    pub port: u16,
}

/// Why the connection is not attempted. Users see one sentence for all of them: the reason tells about the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A name without a dot, `localhost` or an internal one.
    #[error("the printer's name is not one of a public or local domain")]
    Name,
    /// Not a port of raw printers.
    #[error("the port is not one that raw printers use")]
    Port,
    /// Loopback, link-local, metadata, multicast and the like, whatever the list says.
    #[error("the address can never be a printer")]
    NeverAllowed,
    /// Outside the listed networks.
    #[error("the address is not in PRINT_ALLOWED_CIDRS")]
    NotListed,
}

/// A mistake in `PRINT_ALLOWED_CIDRS`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowListError {
    /// Not an address and a prefix length.
    #[error("`{0}` is not a network such as 192.168.1.0/24")]
    NotANetwork(String),
    /// A prefix length of 0 allows the whole internet.
    #[error("`{0}` allows every address")]
    Everything(String),
    /// A network that is refused in any case.
    #[error("`{0}` can never contain a printer")]
    NeverAllowed(String),
}

/// The printing ports: 9100 and its neighbours, and Zebra's second raw port.
const RAW_PORTS: [RangeInclusive<u16>; 2] = [9100..=9109, 6101..=6101];

/// This machine as a printer: only for demonstrations.
const DEMO_PRINTER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Never a printer: this machine, its links, cloud metadata, documentation, tests, tunnels that hide an IPv4 address.
const NEVER: [&str; 24] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:db8::/32",
    "2002::/16",
    "fd00:ec2::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// The networks printers may be in. An empty list allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    networks: Vec<IpNet>,
    demo_printer: bool,
}

impl AllowList {
    /// Reads comma-separated networks (`192.168.1.0/24, fd12::/48`). Fails on the first mistake.
    pub fn parse(text: &str) -> Result<Self, AllowListError> {
        let networks = written(text).map(network).collect::<Result<_, _>>()?;
        Ok(Self { networks, demo_printer: false })
    }

    /// The same for `WB_ENV=demo`, where `127.0.0.1/32`, written exactly so, allows a printer on this machine.
    pub fn parse_demo(text: &str) -> Result<Self, AllowListError> {
        let demo = |cidr: &&str| *cidr == "127.0.0.1/32";
        let networks = written(text).filter(|cidr| !demo(cidr)).map(network).collect::<Result<_, _>>()?;
        Ok(Self { networks, demo_printer: written(text).any(|cidr| demo(&cidr)) })
    }

    /// Whether this very address may be connected to.
    pub fn check(&self, address: SocketAddr) -> Result<(), Refusal> {
        let ip = address.ip().to_canonical();
        if self.demo_printer && ip == DEMO_PRINTER {
            return Ok(());
        }
        if never(ip) {
            return Err(Refusal::NeverAllowed);
        }
        if !self.networks.iter().any(|network| network.contains(&ip)) {
            return Err(Refusal::NotListed);
        }
        if RAW_PORTS.iter().any(|ports| ports.contains(&address.port())) { Ok(()) } else { Err(Refusal::Port) }
    }
}

/// Whether a name may be looked up at all. Names of neighbouring containers have no dot.
pub(super) fn check_name(host: &str) -> Result<(), Refusal> {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let internal = name.ends_with(".internal") || name.ends_with(".localhost");
    if host.parse::<IpAddr>().is_ok() || (name.contains('.') && !internal) { Ok(()) } else { Err(Refusal::Name) }
}

fn written(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|cidr| !cidr.is_empty())
}

fn network(cidr: &str) -> Result<IpNet, AllowListError> {
    let network: IpNet = cidr.parse().map_err(|_| AllowListError::NotANetwork(cidr.to_owned()))?;
    if network.prefix_len() == 0 {
        Err(AllowListError::Everything(cidr.to_owned()))
    } else if never(network.network()) {
        Err(AllowListError::NeverAllowed(cidr.to_owned()))
    } else {
        Ok(network)
    }
}

fn never(ip: IpAddr) -> bool {
    NEVER.iter().filter_map(|cidr| cidr.parse::<IpNet>().ok()).any(|network| network.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &AllowList, address: &str) -> Result<(), Refusal> {
        list.check(address.parse().unwrap())
    }

    #[test]
    fn every_forbidden_network_is_written_correctly() {
        assert!(NEVER.iter().all(|cidr| cidr.parse::<IpNet>().is_ok()));
    }

    #[test]
    fn only_listed_networks_are_reachable() {
        let list = AllowList::parse("192.168.1.0/24, 10.1.2.3/32,fd12:3456::/32,").unwrap();
        for address in ["192.168.1.50:9100", "10.1.2.3:6101", "[fd12:3456::7]:9109", "[::ffff:192.168.1.50]:9100"] {
            assert_eq!(check(&list, address), Ok(()), "{address}");
        }
        for address in ["192.168.2.50:9100", "10.1.2.4:9100", "8.8.8.8:9100", "[fd13::7]:9100"] {
            assert_eq!(check(&list, address), Err(Refusal::NotListed), "{address}");
        }
        assert_eq!(check(&AllowList::parse("").unwrap(), "192.168.1.50:9100"), Err(Refusal::NotListed));
    }

    #[test]
    fn other_services_are_not_printed_to() {
        let list = AllowList::parse("192.168.1.0/24").unwrap();
        for port in [22, 25, 80, 5432, 6379, 9099, 9110] {
            assert_eq!(check(&list, &format!("192.168.1.50:{port}")), Err(Refusal::Port), "{port}");
        }
    }

    #[test]
    fn some_addresses_are_never_printers() {
        let list = AllowList::parse("128.0.0.0/1,64.0.0.0/2,fd00::/8,2000::/3,f000::/4").unwrap();
        for ip in [
            "0.0.0.0",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "224.0.0.251",
            "239.1.1.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "[::]",
            "[::1]",
            "[fe80::1]",
            "[ff02::1]",
            "[fd00:ec2::254]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:7f00:1::]",
            "[::ffff:169.254.169.254]",
        ] {
            assert_eq!(check(&list, &format!("{ip}:9100")), Err(Refusal::NeverAllowed), "{ip}");
        }
    }

    #[test]
    fn this_machine_is_a_printer_only_in_a_demo() {
        let list = AllowList::parse_demo("192.168.1.0/24, 127.0.0.1/32").unwrap();
        assert_eq!(check(&list, "127.0.0.1:40123"), Ok(()));
        assert_eq!(check(&list, "192.168.1.5:9100"), Ok(()));
        for address in ["127.0.0.2:9100", "[::1]:9100"] {
            assert_eq!(check(&list, address), Err(Refusal::NeverAllowed), "{address}");
        }
        assert_eq!(check(&AllowList::parse_demo("").unwrap(), "127.0.0.1:9100"), Err(Refusal::NeverAllowed));
        for text in ["127.0.0.1/8", "127.0.0.0/8", "::1/128"] {
            assert_eq!(AllowList::parse_demo(text), Err(AllowListError::NeverAllowed(text.to_owned())));
        }
    }

    #[test]
    fn mistakes_in_the_list_are_named() {
        use AllowListError::{Everything, NeverAllowed, NotANetwork};
        for (text, error) in [
            ("192.168.1.5", NotANetwork as fn(String) -> AllowListError),
            ("printer.lan/24", NotANetwork),
            ("0.0.0.0/0", Everything),
            ("::/0", Everything),
            ("127.0.0.1/32", NeverAllowed),
            ("169.254.0.0/16", NeverAllowed),
        ] {
            assert_eq!(AllowList::parse(text), Err(error(text.to_owned())));
        }
    }

    #[test]
    fn names_of_neighbouring_services_are_not_looked_up() {
        for name in ["printer.lan", "zebra-1.example.ru", "192.168.1.5", "fd12::7", "127.1"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "postgres", "localhost", "LOCALHOST.", "metadata.google.internal", "a.localhost", "2130706433"]
        {
            assert_eq!(check_name(name), Err(Refusal::Name), "{name}");
        }
    }
}
