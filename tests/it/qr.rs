//! QR codes, read back by a reader that is not ours.

use wallet_client::{Order, QrCode};
use wallet_core::Signer;
use wallet_core::link::OutgoingLink as _;
use wallet_crypto::{PrivateKey, RsaSign};
use wallet_tests::ANY_TIME;

use crate::rsa::vector;

/// What a picture of `side` modules says, each of them drawn as 4 by 4 pixels.
fn read(side: usize, dark: impl Fn(usize, usize) -> bool) -> String {
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(side * 4, side * 4, |x, y| {
        if dark(x / 4, y / 4) { 0 } else { 255 }
    });
    let grids = picture.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().unwrap().1
}

fn from_svg(svg: &str) -> String {
    let side: usize = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let mut dark = vec![false; side * side];
    let path = svg.rsplit(" d=\"").next().unwrap().split('"').next().unwrap();
    for piece in path.split('M').skip(1) {
        let (at, rest) = piece.split_once('h').unwrap();
        let (x, y) = at.split_once(' ').unwrap();
        let (length, _) = rest.split_once("v1").unwrap();
        let (x, y, length): (usize, usize, usize) =
            (x.parse().unwrap(), y.parse().unwrap(), length.parse().unwrap());
        (x..x + length).for_each(|x| dark[y * side + x] = true);
    }
    read(side, |x, y| dark[y * side + x])
}

fn from_png(png: &[u8], pixel: usize) -> String {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let side = info.width as usize;
    read(side / pixel, |x, y| pixels[(y * pixel) * side + x * pixel] == 0)
}

fn from_terminal(drawn: &str) -> String {
    // What is light is drawn.
    let rows: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
    let side = rows[0].len();
    read(side, |x, y| {
        let (top, bottom) = match rows.get(y / 2).map_or('█', |row| row[x]) {
            ' ' => (true, true),
            '▀' => (false, true),
            '▄' => (true, false),
            _ => (false, false),
        };
        if y % 2 == 0 { top } else { bottom }
    })
}

#[test]
fn a_code_says_the_same_as_svg_as_png_and_in_a_terminal() {
    let key =
        PrivateKey::load(vector("vas-rsa-2048.json")["private_pkcs8_base64"].as_str().unwrap()).unwrap();
    let order = Order {
        order_id: "201911087855441".into(),
        to_addr: "Vt1LBNcKVQR45vWpAxxhZs4PLNASqEXYE7".into(),
        asset: "VAS".into(),
        amount: "0.001".parse().unwrap(),
        callback_url: "https://www.shop.example/pay?orderId=201911087855441".into(),
    };
    let mut link = order.link("8888-9999-1111-6666");
    link.description = Some("一杯咖啡 \"☕\"".into());
    let pay = link.qr(Some(&Signer::rsa(&RsaSign::new(&key).unwrap(), ANY_TIME))).unwrap();
    for text in [pay.as_str(), "vaslogin://{}", ""] {
        let code = QrCode::new(text).unwrap();
        let svg = code.to_svg();
        assert_eq!(from_svg(&svg), text);
        assert!(svg.len() < 60_000, "{}", svg.len());
        for pixel in [1, 3, 8] {
            assert_eq!(from_png(&code.to_png(pixel), pixel as usize), text);
        }
        assert_eq!(from_terminal(&code.to_terminal(200).unwrap()), text);
        // One column too few: it says how many it needs.
        let needs = code.modules() + 8;
        assert!(code.to_terminal(needs).is_ok());
        assert_eq!(code.to_terminal(needs - 1).unwrap_err().needs, needs);
    }
    let modules = QrCode::new(&pay).unwrap().modules();
    assert!((85..=105).contains(&modules), "{modules}");
    // Level M holds 2,331 bytes, level L what the standard holds at most.
    assert!(QrCode::new(&"x".repeat(2_332)).is_ok() && QrCode::new(&"x".repeat(2_953)).is_ok());
    assert!(QrCode::new(&"x".repeat(2_954)).is_err());
}
