//! The sans-IO core over plain `std::net`: a request is encoded, its bytes travel through a socket, and the reply is
//! decoded. No runtime, and no HTTP library but the types of `http`.
//!
//! With an argument (`http://127.0.0.1:7070/fomo/`) it calls that platform; without, one in this process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use wallet_api::fomo::get_active_coins;
use wallet_core::{EncodeCx, OutgoingRequest as _};

type Error = Box<dyn std::error::Error>;

/// Sends a request with HTTP/1.0, so that the reply ends where the connection does.
fn send(request: &http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, Error> {
    let host = request.uri().authority().ok_or("the base URL has no host")?.as_str();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut bytes = format!("{} {} HTTP/1.0\r\nHost: {host}\r\n", request.method(), path);
    for (name, value) in request.headers() {
        bytes += &format!("{name}: {}\r\n", value.to_str()?);
    }
    bytes += &format!("Content-Length: {}\r\n\r\n", request.body().len());
    let mut socket = TcpStream::connect(host)?;
    socket.write_all(bytes.as_bytes())?;
    socket.write_all(request.body())?;

    let mut reply = Vec::new();
    socket.read_to_end(&mut reply)?;
    let end = reply
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .ok_or("the reply has no end of its headers")?;
    let head = std::str::from_utf8(&reply[..end])?;
    let status: u16 = head.split(' ').nth(1).ok_or("the reply has no status")?.parse()?;
    Ok(http::Response::builder().status(status).body(reply[end + 4..].to_vec())?)
}

/// A platform that answers one request.
fn platform() -> Result<String, Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/fomo/", listener.local_addr()?);
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a caller");
        let mut head = [0; 4096];
        let read = socket.read(&mut head).expect("a request");
        assert!(
            String::from_utf8_lossy(&head[..read]).contains(" /fomo/wallet/get_active_coins HTTP/1.0\r\n")
        );
        let coin = r#"{"id":"5","chain_id":"3","coin_type":"0","price":"1","name":"usdt","description":"","bc_expolorer":"",
            "contract":"","decimals":"6","min_amount":"1","next_start":"0","is_active":"1","sort_id":"0"}"#;
        let body = format!(r#"{{"status":1,"msg":"","data":{{"active_coins":[{coin}]}},"sucess":true}}"#);
        write!(socket, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}").expect("a reader");
    });
    Ok(url)
}

pub fn main() -> Result<(), Error> {
    let base_url = match std::env::args().nth(1).filter(|argument| argument.starts_with("http://")) {
        Some(url) => url,
        None => platform()?,
    };
    let cx = EncodeCx { base_url: &base_url, format: Default::default(), bearer: None, signer: None };
    let request = get_active_coins::Request::new().encode(&cx)?;
    let reply = send(&request)?;
    let reply = get_active_coins::Request::decode_response(&reply)?;
    for coin in &reply.active_coins {
        println!("{}: {} with {} decimals", coin.id, coin.name, coin.decimals);
    }
    assert!(!reply.active_coins.is_empty());
    Ok(())
}
