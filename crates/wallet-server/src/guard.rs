//! The addresses that callbacks may be sent to (R81). Each attempt checks the resolved IP addresses before it connects,
//! so a name that resolves to a private address is refused, also if it resolved to a public one before.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use wallet_hyper::Dial;

/// The addresses that callbacks may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// The public internet only.
    Public,
    /// The public internet and the loopback addresses: for the sandbox and for tests.
    PublicAndLoopback,
}

impl Addresses {
    fn allow(self, ip: IpAddr) -> bool {
        is_public(ip) || (self == Self::PublicAndLoopback && ip.to_canonical().is_loopback())
    }
}

/// Whether an address belongs to the public internet: not loopback, a private or shared network, link-local,
/// multicast, documentation, or a tunnel into one of those.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // RFC 6598, carriers' NAT
        || (a == 192 && b == 0 && c == 0) // RFC 6890
        || (a == 192 && b == 88 && c == 99) // RFC 7526, 6to4 relays
        || (a == 198 && (18..20).contains(&b)); // RFC 2544, benchmarks
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    // 2000::/3 is the allocated global unicast space; some ranges in it are special.
    let global = segments[0] & 0xe000 == 0x2000;
    let documentation = (segments[0] == 0x2001 && segments[1] == 0x0db8) || segments[0] == 0x3fff;
    let protocol = segments[0] == 0x2001 && segments[1] < 0x0200; // RFC 2928, Teredo among them
    let six_to_four = segments[0] == 0x2002; // carries an arbitrary IPv4 address
    global && !documentation && !protocol && !six_to_four
}

/// Resolves a name, checks the addresses (R81) and connects: as a [`Dial`], or as a connector of hyper's.
#[derive(Debug, Clone)]
pub struct GuardedConnector {
    addresses: Addresses,
}

impl GuardedConnector {
    /// A connector to these addresses only.
    pub fn new(addresses: Addresses) -> Self {
        Self { addresses }
    }
}

/// `localhost` and all names below it are loopback (RFC 6761 §6.3), whatever the resolver answers.
fn is_local_name(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// The most names that are resolved at once; a name server that does not answer holds a thread for half a minute.
static RESOLVING: Semaphore = Semaphore::const_new(512);

/// The addresses of a host, by the machine's own resolver. It runs on a thread of its own: the blocking threads of the runtime check
/// passwords, and a developer chooses which name servers are asked here.
async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    // Beyond this many nothing is asked, and no attempt is made of it.
    let place = RESOLVING.try_acquire().map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
    let (sender, resolved) = oneshot::channel();
    let name = (host.to_owned(), port);
    let thread = std::thread::Builder::new().name("wallop-resolve".to_owned()).spawn(move || {
        let found = name.to_socket_addrs().map(Iterator::collect);
        drop(place);
        let _ = sender.send(found);
    });
    // A lack of threads is this machine's, and no attempt of the callback.
    thread.map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
    resolved.await.map_err(io::Error::other)?
}

/// The addresses of a URL's host that callbacks may be sent to.
async fn allowed(uri: &Uri, addresses: Addresses) -> io::Result<Vec<SocketAddr>> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    let host = uri.host().ok_or_else(|| invalid("the address has no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let resolved: Vec<SocketAddr> = match is_local_name(host) {
        true => vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()],
        false => resolve(host, port).await?,
    };
    let allowed: Vec<SocketAddr> =
        resolved.iter().copied().filter(|address| addresses.allow(address.ip())).collect();
    if allowed.is_empty() {
        let why = "the callback's address is not on the public internet; use a public address";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(allowed)
}

async fn connect(peers: &[SocketAddr]) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(peers).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Dial for GuardedConnector {
    type Io = TokioIo<TcpStream>;

    async fn peers(&self, uri: &Uri) -> io::Result<Vec<SocketAddr>> {
        allowed(uri, self.addresses).await
    }

    async fn dial(&self, peers: &[SocketAddr]) -> io::Result<(Self::Io, SocketAddr)> {
        let stream = connect(peers).await?;
        let peer = stream.peer_addr()?;
        Ok((TokioIo::new(stream), peer))
    }
}

impl tower_service::Service<Uri> for GuardedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let addresses = self.addresses;
        Box::pin(async move { Ok(TokioIo::new(connect(&allowed(&uri, addresses).await?).await?)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_are_resolved_off_the_threads_of_the_runtime() {
        let one = |ip: &str| vec![SocketAddr::from((ip.parse::<IpAddr>().unwrap(), 443))];
        assert_eq!(resolve("192.0.2.1", 443).await.unwrap(), one("192.0.2.1"));
        assert_eq!(resolve("2001:db8::1", 443).await.unwrap(), one("2001:db8::1"));
        let local = resolve("localhost", 443).await.expect("every machine knows it");
        assert!(local.iter().all(|address| address.ip().is_loopback() && address.port() == 443), "{local:?}");
        resolve("a name with spaces", 443).await.unwrap_err();
        assert_eq!(RESOLVING.available_permits(), 512, "places are given back");
    }

    #[test]
    fn r81_only_public_addresses_pass() {
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "100::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        assert!(Addresses::PublicAndLoopback.allow(mapped));
        assert!(!Addresses::PublicAndLoopback.allow("192.168.1.1".parse().unwrap()));
        assert!(is_local_name("www.shop.LOCALHOST") && is_local_name("localhost"));
        assert!(!is_local_name("localhost.example") && !is_local_name("notlocalhost"));
    }
}
