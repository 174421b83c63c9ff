//! Where the wallet may go, and where exactly it goes (R45, R47–R49, R62).

use std::collections::BTreeSet;

use wallet_api::vas::{CallbackType, How, OpenCallbackType, Platform, login};
use wallet_platform::{Registered, Return, Target, after_login, host_name, target};

const APP: Registered<'_> = Registered { safe_domain: "www.shop.example", scheme: "payapp" };

#[test]
fn r49_only_the_registered_host_passes_whatever_its_spelling() {
    for good in [
        "http://www.shop.example",
        "https://www.shop.example/",
        "HTTPS://WWW.Shop.EXAMPLE/music.html",
        "https://www.shop.example:8443/a?b=c#d",
        "https://www.shop.example?x",
        "https://www.shop.example#x",
        "https://www.shop.example/@evil.example",
        "https://www.shop.example/\\evil.example",
        "https://www.shop.example/回调?a=回",
        "https://www.shop.example/?u=https://evil.example",
    ] {
        assert!(APP.allows(good), "{good}");
    }
    let mut bad: BTreeSet<String> = BTreeSet::new();
    // Other hosts, with everything that may surround one.
    for host in [
        "shop.example",
        "pay.shop.example",
        "www.shop.example.",
        "www.shop.example..",
        ".www.shop.example",
        "www..shop.example",
        "www.shop.example.evil.example",
        "wwwxshop.example",
        "evil.example",
        "www.shop.exampl",
        "www.shop.examplee",
        "wwww.shop.example",
        "www-shop.example",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "xn--www-.shop.example",
        "www.shop.ex\u{e4}mple",
        "www.sh\u{43e}p.example", // a Cyrillic o
    ] {
        for scheme in ["http", "https", "HTTPS"] {
            for rest in ["", "/", "/?www.shop.example", ":443/x", "#www.shop.example", "/www.shop.example/"] {
                bad.insert(format!("{scheme}://{host}{rest}"));
            }
        }
    }
    // The right host's text where another reader sees another host.
    for text in [
        "https://www.shop.example@evil.example/",
        "https://www.shop.example:80@evil.example/",
        "https://user@www.shop.example/",
        "https://user:pwd@www.shop.example/",
        "https://@www.shop.example/",
        "https://evil.example\\@www.shop.example/",
        "https://www.shop.example\\@evil.example/",
        "https://www.shop.example\\.evil.example/",
        "https://www.shop.example\\",
        "https:\\\\www.shop.example/",
        "https:/\\www.shop.example/",
        "https:/www.shop.example/",
        "https:www.shop.example/",
        "https:///www.shop.example/",
        "https:////www.shop.example/",
        "//www.shop.example/",
        "://www.shop.example/",
        "www.shop.example",
        "www.shop.example/",
        "https://www.shop.example%2f@evil.example/",
        "https://www.shop.example%2fevil.example/",
        "https://www.shop.example%00.evil.example/",
        "https://www.shop%2eexample/",
        "https://%77ww.shop.example/",
        "https://www.shop.example%/",
        "https://www.shop.example:/",
        "https://www.shop.example:x/",
        "https://www.shop.example:99999/",
        "https://www.shop.example:+443/",
        "https://www.shop.example:80:80/",
        "https://www.shop.example /",
        "https:// www.shop.example/",
        " https://www.shop.example/",
        "https://www.shop.example/ ",
        "https://www.shop.example/\t",
        "https://www.shop.example/\n",
        "ht\ntps://www.shop.example/",
        "https://www.sh\top.example/",
        "https://www.shop.exam\nple/",
        "https://www.shop.example\r\n/",
        "https://www.shop.example/\u{0}",
        "https://www.shop.example\u{7f}/",
        "https://www.shop.example\u{a0}/",
        "https://www.shop.example\u{2028}/",
        "https://www.sh\u{ad}op.example/",
        "https://www.sh\u{200b}op.example/",
        "https://www.shop.example\u{feff}/",
        "https://\u{202e}www.shop.example/",
        "https://www\u{3002}shop\u{3002}example/", // ideographic full stops
        "https://www\u{ff0e}shop.example/",
        "https://www.shop.exampl\u{ff45}/", // a full-width letter
        "https://\u{24e6}\u{24e6}\u{24e6}.shop.example/",
        "https://www.shop.example,evil.example/",
        "https://www.shop.example;evil.example/",
        "https://www.shop.example!evil.example/",
        "https://www.shop.example&evil.example/",
        "https://www.shop.example=evil.example/",
        "https://[www.shop.example]/",
        "https://[www.shop.example/",
        "https://www.shop.example]/",
        "https://[::ffff:www.shop.example]/",
        "javascript://www.shop.example/%0aalert(1)",
        "data://www.shop.example/",
        "file://www.shop.example/",
        "ftp://www.shop.example/",
        "ws://www.shop.example/",
        "https+x://www.shop.example/",
        "1https://www.shop.example/",
        "-https://www.shop.example/",
        "https\u{ff1a}//www.shop.example/",
        "",
        "https://",
        "https://?www.shop.example",
        "https://#www.shop.example",
        "https:///",
        "payapp://",
        "payapp:x",
        "payappx://x",
        "pay app://x",
        "xpayapp://x",
    ] {
        bad.insert(text.to_owned());
    }
    // The code glued to a host makes another host (R47).
    for glued in ["0123456789abcdef0123456789abcdef01234567", ".evil.example", ":80@evil.example", "x"] {
        for rest in ["", ":443"] {
            bad.insert(format!("https://www.shop.example{rest}{glued}"));
        }
    }
    assert!(bad.len() >= 200, "{}", bad.len());
    for address in &bad {
        assert!(!APP.allows(address), "{address:?} leads to {:?}", target(address));
    }
    for good in ["payapp://x", "PayApp://login/a?b=c", "payapp://回"] {
        assert!(APP.allows(good), "{good}");
    }
    // An app that registered nothing of a kind is returned to by nothing of it.
    let nothing = Registered { safe_domain: "", scheme: "" };
    assert!(!nothing.allows("https://www.shop.example/") && !nothing.allows("payapp://x"));
}

#[test]
fn r49_an_idn_is_one_host_in_either_spelling() {
    assert_eq!(host_name("www.商店.example").unwrap(), "www.xn--czrs0t.example");
    let app = Registered { safe_domain: "www.xn--czrs0t.example", scheme: "" };
    assert!(app.allows("https://www.商店.example/x") && app.allows("https://www.xn--czrs0t.example/x"));
    // Readers convert some IDNs differently: the host that was compared is the host that is written.
    let sharp = Registered { safe_domain: "xn--strae-oqa.example", scheme: "" };
    let link = login::Link::new("https://straße.example:8443/login?a=ß".into(), "u".into());
    let returned = after_login(&link, "c0de", sharp).unwrap();
    assert_eq!(returned.address, "https://xn--strae-oqa.example:8443/login?a=ß&openCode=c0de");
    assert!(!format!("{returned:?}").contains("c0de"), "Debug shows no code");
    assert!(!app.allows("https://www.商 店.example/x") && !app.allows("https://商店.example/"));
    assert_eq!(target("https://[2001:DB8::1]:8/").unwrap(), Target::Http("[2001:db8::1]".into()));
}

fn returns(
    callback_url: &str,
    glued: Option<bool>,
    open: Option<OpenCallbackType>,
    platform: Option<Platform>,
    web_token: Option<&str>,
) -> Option<(String, How)> {
    let mut link = login::Link::new(callback_url.into(), "u".into());
    link.platform = platform;
    link.callback_type = glued.map(|glued| if glued { CallbackType::Glued } else { CallbackType::Parameter });
    link.open_call_back_type = open;
    link.web_token = web_token.map(Into::into);
    after_login(&link, "c0de", APP).map(|Return { address, how }| (address, how))
}

#[test]
fn r45_r47_r48_r62_the_exact_final_address() {
    const WEB: Option<Platform> = Some(Platform::Web);
    const MOBILE: Option<Platform> = Some(Platform::Mobile);
    const MINIMISE: Option<OpenCallbackType> = Some(OpenCallbackType::Minimise);
    const OPEN: Option<OpenCallbackType> = Some(OpenCallbackType::Open);
    let base = "https://www.shop.example/login";
    for (callback_url, glued, open, platform, token, address, how) in [
        // As a parameter.
        (base, None, None, None, None, "https://www.shop.example/login?openCode=c0de", How::Open),
        (base, Some(false), OPEN, MOBILE, None, "https://www.shop.example/login?openCode=c0de", How::Open),
        (
            base,
            None,
            None,
            WEB,
            Some("a+b/c="),
            "https://www.shop.example/login?openCode=c0de&webToken=a%2Bb%2Fc%3D",
            How::Get,
        ),
        (
            "https://www.shop.example/login?a=b",
            None,
            None,
            WEB,
            None,
            "https://www.shop.example/login?a=b&openCode=c0de",
            How::Get,
        ),
        (
            "https://www.shop.example/login?a=b#f",
            None,
            None,
            None,
            None,
            "https://www.shop.example/login?a=b&openCode=c0de#f",
            How::Open,
        ),
        (
            "https://www.shop.example/login#f",
            None,
            None,
            None,
            None,
            "https://www.shop.example/login?openCode=c0de#f",
            How::Open,
        ),
        ("payapp://login/a/b?d=1", None, None, None, None, "payapp://login/a/b?d=1&openCode=c0de", How::Open),
        ("PayApp://login", None, None, MOBILE, None, "PayApp://login?openCode=c0de", How::Open),
        // Glued.
        (
            "https://www.shop.example/login/",
            Some(true),
            None,
            None,
            None,
            "https://www.shop.example/login/c0de",
            How::Open,
        ),
        (
            "https://www.shop.example/l?code=",
            Some(true),
            None,
            WEB,
            Some("tok"),
            "https://www.shop.example/l?code=c0detok",
            How::Get,
        ),
        (
            "https://www.shop.example/#",
            Some(true),
            None,
            None,
            None,
            "https://www.shop.example/#c0de",
            How::Open,
        ),
        // Minimising: a GET, to a web server only; ignored for the web.
        (base, None, MINIMISE, None, None, "https://www.shop.example/login?openCode=c0de", How::Get),
        (base, None, MINIMISE, MOBILE, None, "https://www.shop.example/login?openCode=c0de", How::Get),
        (base, None, MINIMISE, WEB, None, "https://www.shop.example/login?openCode=c0de", How::Get),
    ] {
        let expected = Some((address.to_owned(), how));
        assert_eq!(returns(callback_url, glued, open, platform, token), expected, "{callback_url}");
    }
    for (callback_url, glued, open, platform) in [
        ("https://www.shop.example", Some(true), None, None), // another host with the code glued to it
        ("https://evil.example/", None, None, None),
        ("payapp://login", None, MINIMISE, None), // no GET can be sent there
        ("payapp://login", None, None, WEB),
        ("otherapp://login", None, None, None),
        ("payapp://", None, OPEN, None), // R63: nothing after the scheme
        // Somebody else's code before the user's.
        ("https://www.shop.example/login?openCode=mine", None, None, WEB),
        ("https://www.shop.example/login?open%43ode=mine&x=", Some(true), None, None),
        ("payapp://login?a=b&webToken=mine", None, None, None),
        ("https://www.shop.example/login?%zz=1", None, None, None),
        ("https://", Some(true), None, None),
    ] {
        assert_eq!(returns(callback_url, glued, open, platform, None), None, "{callback_url}");
    }
}
