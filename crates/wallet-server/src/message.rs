//! What HTTP/1.1 asks of a server beyond what hyper does: one valid Host, no transfer coding but `chunked`, and a path without
//! empty segments.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, Version};

use crate::reply::text;

/// A request as the routes take it: its Host is that of the target, its path has no empty segment.
///
/// # Errors
/// The reply to a request that is not well-formed. The connection closes after it.
#[expect(clippy::result_large_err, reason = "a response is passed on unchanged, once a request")]
pub(crate) fn well_formed(mut request: Request<Body>) -> Result<Request<Body>, Response> {
    coding(&request)?;
    host(&mut request)?;
    if let Some(uri) = without_empty_segments(request.uri()) {
        *request.uri_mut() = uri;
    }
    Ok(request)
}

fn refuse(status: StatusCode, why: &str) -> Response {
    let mut response = text(status, format!("{why}\n"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// RFC 9112, 6.1: a coding that is not understood is refused, as its content cannot be read; `chunked` comes once.
#[expect(clippy::result_large_err, reason = "a response is passed on unchanged, once a request")]
fn coding(request: &Request<Body>) -> Result<(), Response> {
    let lines = request.headers().get_all(TRANSFER_ENCODING).iter();
    let mut chunked = 0_usize;
    for coding in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
        match coding.trim_ascii() {
            b"" => {}
            coding if coding.eq_ignore_ascii_case(b"chunked") => chunked += 1,
            _ => {
                let why = "the only transfer coding of this server is chunked";
                return Err(refuse(StatusCode::NOT_IMPLEMENTED, why));
            }
        }
    }
    // Which of the two lengths counts is how requests are smuggled (RFC 9112, 6.3).
    let two_lengths = chunked > 0 && request.headers().contains_key(CONTENT_LENGTH);
    match chunked {
        0 | 1 if !two_lengths => Ok(()),
        _ => Err(refuse(
            StatusCode::BAD_REQUEST,
            "the request has two lengths: send one Transfer-Encoding or Content-Length",
        )),
    }
}

/// RFC 9112, 3.2: exactly one valid Host; that of an absolute target takes its place (3.2.2).
#[expect(clippy::result_large_err, reason = "a response is passed on unchanged, once a request")]
fn host(request: &mut Request<Body>) -> Result<(), Response> {
    let refused = |why| Err(refuse(StatusCode::BAD_REQUEST, why));
    let headers = request.headers();
    match sole(headers) {
        Err(()) => return refused("the request has two Host headers: send one"),
        Ok(None) if request.version() >= Version::HTTP_11 => {
            return refused("the request has no Host header: send one");
        }
        Ok(Some(host)) if !is_authority(host.as_bytes()) => return refused("the Host header is malformed"),
        Ok(_) => {}
    }
    let Some(target) = request.uri().authority().cloned() else { return Ok(()) };
    match HeaderValue::try_from(target.as_str()) {
        Ok(host) if is_authority(target.as_str().as_bytes()) => {
            request.headers_mut().insert(HOST, host);
            Ok(())
        }
        _ => refused("the request's target is malformed"),
    }
}

fn sole(headers: &HeaderMap) -> Result<Option<&HeaderValue>, ()> {
    let mut hosts = headers.get_all(HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() { Err(()) } else { Ok(first) }
}

/// Whether it is a host with or without a port, and nothing else.
fn is_authority(text: &[u8]) -> bool {
    let authority = Authority::try_from(text);
    let port = |authority: &Authority| {
        authority.as_str().len() == authority.host().len() || authority.port().is_some()
    };
    // A comma would make two hosts of one, where a proxy joins header lines.
    let is_name = |host: &str| {
        host.starts_with('[')
            || host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    authority.is_ok_and(|authority| {
        let host = authority.host();
        !host.is_empty() && is_name(host) && !authority.as_str().contains('@') && port(&authority)
    })
}

/// The address with one slash wherever its path has several, if it has: the FOMO document's base address ends with a slash, and one
/// of its paths begins with one.
fn without_empty_segments(uri: &Uri) -> Option<Uri> {
    if !uri.path().contains("//") {
        return None;
    }
    let mut path = String::with_capacity(uri.path().len());
    for character in uri.path().chars() {
        if character != '/' || !path.ends_with('/') {
            path.push(character);
        }
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(target: &str, version: Version, headers: &[(&str, &str)]) -> Result<(String, String), u16> {
        let mut request = Request::builder().uri(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let judged = well_formed(request.body(Body::empty()).unwrap());
        judged
            .map(|request| {
                let host = request.headers().get(HOST).map_or("", |host| host.to_str().unwrap());
                (host.to_owned(), request.uri().path_and_query().unwrap().to_string())
            })
            .map_err(|response| response.status().as_u16())
    }

    /// RFC 9112, 3.2 and 3.2.2.
    #[test]
    fn a_request_has_one_host_and_an_absolute_target_is_it() {
        let host = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| ("host", *value)).collect();
            judged("/healthz", Version::HTTP_11, &headers).map(|(host, _)| host)
        };
        for good in ["127.0.0.1:7070", "LOCALHOST", "[::1]:7070", "pay.example", "xn--80ak6aa92e.com"] {
            assert_eq!(host(&[good]), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "a@b",
            "127.0.0.1:1@evil.example",
            "a b",
            "a/b",
            "a:b",
            "a:",
            "a:99999",
            "http://a/",
            "a,b",
            ":80",
        ] {
            assert_eq!(host(&[bad]), Err(400), "{bad}");
        }
        assert_eq!(host(&["a", "a"]), Err(400));
        assert_eq!(host(&["a", "b"]), Err(400));
        assert_eq!(host(&[]), Err(400));
        assert_eq!(judged("/healthz", Version::HTTP_10, &[]), Ok((String::new(), "/healthz".to_owned())));
        let absolute = |target| judged(target, Version::HTTP_11, &[("host", "127.0.0.1")]);
        assert_eq!(absolute("http://evil.example/sandbox").unwrap().0, "evil.example");
        assert_eq!(absolute("http://me@evil.example/sandbox"), Err(400));
    }

    /// RFC 9112, 6.1 and 6.3.
    #[test]
    fn chunked_is_the_only_coding_and_the_only_length() {
        let coding = |values: &[(&str, &str)]| {
            let headers = [values, &[("host", "a")]].concat();
            judged("/", Version::HTTP_11, &headers).map(drop)
        };
        let te = "transfer-encoding";
        for good in ["chunked", "CHUNKED", " chunked ", ",chunked"] {
            assert_eq!(coding(&[(te, good)]), Ok(()), "{good}");
        }
        for (values, status) in [
            (&["gzip, chunked"][..], 501),
            (&["xchunked"], 501),
            (&["identity"], 501),
            (&["chunked, identity"], 501),
            (&["gzip", "chunked"], 501),
            (&["\"chunked\""], 501),
            (&["chunked;q=1"], 501),
            (&["chunked, chunked"], 400),
            (&["chunked", "chunked"], 400),
        ] {
            let values: Vec<_> = values.iter().map(|value| (te, *value)).collect();
            assert_eq!(coding(&values), Err(status), "{values:?}");
        }
        assert_eq!(coding(&[(te, "chunked"), ("content-length", "5")]), Err(400));
    }

    #[test]
    fn several_slashes_are_one() {
        let path = |target| judged(target, Version::HTTP_11, &[("host", "a")]).map(|(_, path)| path);
        for (target, read) in [
            ("/fomo//oauth2/RefreshToken", "/fomo/oauth2/RefreshToken"),
            ("//fomo///oauth2/x?a=//b", "/fomo/oauth2/x?a=//b"),
            ("/fomo/x", "/fomo/x"),
            ("http://a//fomo//x", "/fomo/x"),
        ] {
            assert_eq!(path(target).as_deref(), Ok(read));
        }
    }
}
