//! The edge: who the client is, how often it may call, and that browsers come back under TLS alone.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::header::{FORWARDED, RETRY_AFTER, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ipnet::IpNet;

use crate::reply::text;

/// The address at the other end of a connection: a client's, or a proxy's. [`serve`](crate::serve) adds it to each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// The address of the client that made a request, behind the trusted proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The requests that one address may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressLimit {
    /// In each second, on average.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

/// IP addresses and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Of a list such as `10.0.0.0/8, ::1`; `None` if one of them is no address and no network.
    pub fn parse(text: &str) -> Option<Self> {
        let network = |text: &str| {
            let address: Option<IpAddr> = text.parse().ok();
            address.map(IpNet::from).or_else(|| text.parse().ok())
        };
        text.split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(network)
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether an address is in one of them.
    pub fn contains(&self, address: &IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The settings of an edge.
#[derive(Debug, Clone, Default)]
pub struct EdgeSettings {
    /// The proxies whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted: Networks,
    /// The limit of each client address; `None`: no limit.
    pub limit: Option<AddressLimit>,
    /// Whether browsers are to use https from then on.
    pub https: bool,
}

struct Edge {
    trusted: Networks,
    limiter: Option<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
    https: bool,
    requests: AtomicU32,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}

/// Puts an edge around routes.
pub fn with_edge(routes: Router, settings: EdgeSettings) -> Router {
    let limiter = settings
        .limit
        .map(|limit| RateLimiter::keyed(Quota::per_second(limit.per_second).allow_burst(limit.burst)));
    let EdgeSettings { trusted, https, .. } = settings;
    let edge = Edge { trusted, limiter, clock: DefaultClock::default(), https, requests: AtomicU32::new(0) };
    routes.layer(from_fn_with_state(Arc::new(edge), guard))
}

/// The number of requests after which addresses that are quiet are forgotten.
const FORGET_EVERY: u32 = 4_096;

async fn guard(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<PeerAddress>().map(|peer| peer.0.ip().to_canonical());
    if let Some(peer) = peer {
        let client = client(request.headers(), peer, &edge.trusted);
        if let Some(wait) = edge.wait(client) {
            let mut response =
                text(StatusCode::TOO_MANY_REQUESTS, "too many requests from this address: try again later\n");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
            return response;
        }
        request.extensions_mut().insert(ClientAddress(client));
    }
    let mut response = next.run(request).await;
    if edge.https {
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

impl Edge {
    /// The seconds that an address must wait; `None` if it may call now.
    fn wait(&self, client: IpAddr) -> Option<u64> {
        let limiter = self.limiter.as_ref()?;
        if self.requests.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            limiter.retain_recent();
        }
        let refused = limiter.check_key(&network(client)).err()?;
        Some(refused.wait_time_from(self.clock.now()).as_secs() + 1)
    }
}

/// An IPv6 customer has 2^64 addresses at least.
pub(crate) fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

/// The client's address: what the trusted proxies say, from the last one on. What a client itself wrote is left of that.
fn client(headers: &HeaderMap, peer: IpAddr, trusted: &Networks) -> IpAddr {
    let mut client = peer;
    let mut hops = hops(headers).into_iter().rev();
    while trusted.contains(&client) {
        match hops.next() {
            Some(Some(hop)) => client = hop,
            // Nothing more, or a name that is no address.
            Some(None) | None => break,
        }
    }
    client
}

/// The addresses of `Forwarded` (RFC 7239), or else of `X-Forwarded-For`, the last one at the end; `None` for what is no address.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let elements = |name: HeaderName| -> Vec<String> {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|element| element.trim().to_owned()).collect()
    };
    let xff = HeaderName::from_static("x-forwarded-for");
    if headers.contains_key(FORWARDED) && headers.contains_key(&xff) {
        // A proxy writes one of them, and passes on what the client wrote into the other.
        return Vec::new();
    }
    if headers.contains_key(FORWARDED) {
        return elements(FORWARDED)
            .iter()
            .map(|element| {
                let mut parameters = element.split(';').filter_map(|parameter| parameter.split_once('='));
                let node = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
                node.and_then(|(_, node)| address(node.trim().trim_matches('"')))
            })
            .collect();
    }
    elements(xff).iter().map(|node| address(node)).collect()
}

/// An address with or without a port; IPv6 in brackets if it has one.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok();
    let address = address.or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()));
    let address = address.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_the_first_address_that_no_trusted_proxy_has() {
        let trusted = Networks::parse("10.0.0.0/8, ::1").unwrap();
        assert_eq!(Networks::parse("10.0.0.0/33"), None);
        let of = |peer: &str, name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
            client(&headers, peer.parse().unwrap(), &trusted).to_string()
        };
        let xff = "x-forwarded-for";
        // Nobody but a trusted proxy is believed.
        assert_eq!(of("192.0.2.1", xff, "203.0.113.9"), "192.0.2.1");
        assert_eq!(of("10.0.0.1", xff, ""), "10.0.0.1");
        assert_eq!(of("10.0.0.1", xff, "203.0.113.9"), "203.0.113.9");
        // What the client wrote itself is left of what the proxy added.
        assert_eq!(of("10.0.0.1", xff, "1.1.1.1, 203.0.113.9, 10.0.0.2"), "203.0.113.9");
        assert_eq!(of("10.0.0.1", xff, "10.0.0.3, 10.0.0.2"), "10.0.0.3");
        assert_eq!(of("10.0.0.1", xff, "203.0.113.9, unknown"), "10.0.0.1");
        assert_eq!(of("10.0.0.1", xff, "203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(of("::1", xff, "[2001:db8::1]:4711"), "2001:db8::1");
        let forwarded = "forwarded";
        assert_eq!(of("10.0.0.1", forwarded, "for=203.0.113.9;proto=https;by=10.0.0.1"), "203.0.113.9");
        assert_eq!(of("10.0.0.1", forwarded, "for=1.1.1.1, For=\"[2001:db8::2]:1\""), "2001:db8::2");
        assert_eq!(of("10.0.0.1", forwarded, "for=_hidden"), "10.0.0.1");
        // Of two headers, one is the client's own.
        let mut both = HeaderMap::new();
        both.insert(xff, "203.0.113.9".parse().unwrap());
        both.insert(forwarded, "for=1.1.1.1".parse().unwrap());
        assert_eq!(client(&both, "10.0.0.1".parse().unwrap(), &trusted).to_string(), "10.0.0.1");
        assert_eq!(of("::ffff:10.0.0.1", xff, "203.0.113.9"), "::ffff:10.0.0.1", "canonical before");
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("203.0.113.9"), "203.0.113.9");
    }
}
