//! The heads of replies as they come from the network. After an odd one it is unclear where the reply ends and the next one begins.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBuf, ReadBufCursor};

/// What each line of status begins with, and the last byte of the version.
const VERSION: &[u8; 7] = b"HTTP/1.";
const OLD: u8 = b'0';
const NEW: u8 = b'1';
/// More lines than a server writes.
const LINES: u16 = 100;

/// Where in a reply the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the version, after so many of its bytes.
    Version(usize),
    /// In the status code, after so many bytes from the version on.
    Status(usize),
    LineStart,
    /// In the name of a field.
    Name,
    /// In the value of a field, or after the status code.
    RestOfLine,
    Body,
}

/// Reads the head of a reply byte by byte.
#[derive(Debug)]
struct Head {
    at: At,
    before: u8,
    /// Whether the status is 1xx: another head follows.
    interim: bool,
    lines: u16,
}

impl Default for Head {
    fn default() -> Self {
        Self { at: At::Version(0), before: 0, interim: false, lines: 0 }
    }
}

impl Head {
    /// Takes a byte. Returns whether the head is odd: of HTTP/1.0, or with a line that is folded, has no colon, another character than a
    /// token's before its colon, a control character, or no CR before its LF (RFC 9112, sections 2.2, 5.1 and 5.2). The version 1.0 becomes 1.1: scripts behind old servers send
    /// chunks with it, and hyper refuses that.
    fn take(&mut self, byte: &mut u8) -> bool {
        let before = std::mem::replace(&mut self.before, *byte);
        let ends_line = *byte == b'\n' && !matches!(self.at, At::Body);
        let mut odd = ends_line && before != b'\r';
        self.at = match (self.at, *byte) {
            (At::Version(read), next) if VERSION.get(read) == Some(&next) => At::Version(read + 1),
            (At::Version(read), OLD) if read == VERSION.len() => {
                (*byte, odd) = (NEW, true);
                At::Status(0)
            }
            (At::Version(read), NEW) if read == VERSION.len() => At::Status(0),
            (At::Version(_), _) => {
                odd = true;
                At::RestOfLine
            }
            (At::Status(1), digit) => {
                self.interim = digit == b'1';
                At::RestOfLine
            }
            (At::Status(read), b' ') => At::Status(read + 1),
            (At::Status(_) | At::RestOfLine | At::Name, b'\n') => {
                odd |= self.at == At::Name;
                self.lines = self.lines.saturating_add(1);
                odd |= self.lines > LINES;
                At::LineStart
            }
            (At::Status(_) | At::RestOfLine, other) => {
                let is_control = other.is_ascii_control() && !matches!(other, b'\t' | b'\r');
                odd = is_control || before == b'\r';
                At::RestOfLine
            }
            (At::LineStart, b'\r') => At::LineStart,
            (At::LineStart, b'\n') if self.interim => {
                *self = Self { lines: self.lines, ..Self::default() };
                At::Version(0)
            }
            (At::LineStart, b'\n') => At::Body,
            (At::LineStart, b' ' | b'\t' | b':') => {
                odd = true;
                At::RestOfLine
            }
            (At::LineStart, other) => {
                odd = !is_of_a_token(other) || before == b'\r';
                At::Name
            }
            (At::Name, b':') => At::RestOfLine,
            (At::Name, other) => {
                odd = !is_of_a_token(other);
                At::Name
            }
            (At::Body, _) => At::Body,
        };
        odd
    }
}

/// Whether a byte may be in the name of a field (RFC 9110, section 5.6.2).
fn is_of_a_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What has come on a connection.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    any: AtomicBool,
    odd: AtomicBool,
}

impl Seen {
    /// A request is about to be sent.
    pub(crate) fn begin(&self) {
        self.any.store(false, Ordering::Release);
    }

    /// Whether a byte has come since the request.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether the head of a reply was odd.
    pub(crate) fn odd(&self) -> bool {
        self.odd.load(Ordering::Acquire)
    }
}

/// A connection that looks at the heads of replies.
#[derive(Debug)]
pub(crate) struct Watched<I> {
    io: I,
    head: Head,
    seen: Arc<Seen>,
}

impl<I> Watched<I> {
    pub(crate) fn new(io: I) -> (Self, Arc<Seen>) {
        let seen = Arc::<Seen>::default();
        (Self { io, head: Head::default(), seen: seen.clone() }, seen)
    }
}

impl<I: Read + Unpin> Read for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 2_048];
        let wanted = bytes.len().min(buf.remaining());
        let mut own = ReadBuf::new(&mut bytes[..wanted]);
        match Pin::new(&mut self.io).poll_read(cx, own.unfilled()) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        let length = own.filled().len();
        let read = &mut bytes[..length];
        if !read.is_empty() && !self.seen.any.swap(true, Ordering::AcqRel) {
            self.head = Head::default();
        }
        for byte in read.iter_mut() {
            if self.head.at == At::Body {
                break;
            }
            if self.head.take(byte) {
                self.seen.odd.store(true, Ordering::Release);
            }
        }
        buf.put_slice(read);
        Poll::Ready(Ok(()))
    }
}

writes_through!(Watched);

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that hyper reads, and whether the head is odd.
    fn read(reply: &[u8]) -> (Vec<u8>, bool) {
        let mut head = Head::default();
        let mut bytes = reply.to_vec();
        let mut odd = false;
        for byte in bytes.iter_mut() {
            odd |= head.at != At::Body && head.take(byte);
        }
        (bytes, odd)
    }

    #[test]
    fn only_a_head_as_the_standard_wants_it_is_plain() {
        let lines = |count: usize| {
            let lines: String = (0..count).map(|n| format!("X-{n}: y\r\n")).collect();
            format!("HTTP/1.1 200 OK\r\n{lines}\r\n")
        };
        for plain in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200 \r\nX:y\r\nY:\r\nZ: a:b \r\n\r\n folded\nno colon",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\nHTTP/1.0",
            "HTTP/1.1 200 OK\r\nX-_.~!: \t\u{e9}\u{4e2d}\r\n\r\n",
            &lines(99),
        ] {
            assert_eq!(read(plain.as_bytes()), (plain.into(), false), "{plain}");
        }
        for odd in [
            "HTTP/1.1 200 OK\r\nX: a\r\n  b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX\t: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX\u{b}: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\n(X): a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\u{1}\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\u{7f}b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\rX: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
            "HTTP/1.1 200 OK\nX: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX : a\r\n\r\n",
            "HTTP/1.1 100 Continue\r\nX : a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            &lines(101),
        ] {
            assert_eq!(read(odd.as_bytes()), (odd.into(), true), "{odd}");
        }
        let old = "HTTP/1.0 200 OK\r\nX: HTTP/1.0\r\n\r\nHTTP/1.0";
        assert_eq!(read(old.as_bytes()), (old.replacen("1.0", "1.1", 1).into(), true));
    }

    /// Interim replies without end.
    #[test]
    fn no_number_of_lines_is_too_many() {
        let mut head = Head::default();
        let mut odd = false;
        for mut byte in b"HTTP/1.1 100 Continue\r\n\r\n".repeat(70_000) {
            odd |= head.take(&mut byte);
        }
        assert!(odd && head.at == At::Version(0));
    }

    /// A connection on which bytes come in pieces.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut buf: ReadBufCursor<'_>,
        ) -> Poll<io::Result<()>> {
            if let Some(piece) = self.0.first_mut() {
                let length = piece.len().min(buf.remaining());
                buf.put_slice(&piece[..length]);
                piece.drain(..length);
                if piece.is_empty() {
                    self.0.remove(0);
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn pieces_and_requests_change_nothing() {
        let old: &[u8] = b"HTTP/1.0 200 OK\r\nX: HTTP/1.0\r\n\r\nbody";
        let long = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &b"x : y\r\n".repeat(3_000)].concat();
        for cut in 1..12 {
            for size in [1, 3, 8, 10_000] {
                let pieces = [&old[..cut], &old[cut..], &long[..cut], &long[cut..]].map(<[u8]>::to_vec);
                let (mut stream, seen) = Watched::new(Pieces(pieces.into()));
                for (reply, odd) in [(old, true), (&long, false)] {
                    seen.begin();
                    seen.odd.store(false, Ordering::Release);
                    assert!(!seen.any());
                    let mut out = Vec::new();
                    while out.len() < reply.len() {
                        let mut bytes = vec![0; size.min(reply.len() - out.len())];
                        let mut buf = ReadBuf::new(&mut bytes);
                        let read = Pin::new(&mut stream)
                            .poll_read(&mut Context::from_waker(std::task::Waker::noop()), buf.unfilled());
                        assert!(matches!(read, Poll::Ready(Ok(()))));
                        out.extend_from_slice(buf.filled());
                        assert!(seen.any());
                    }
                    assert!(out == read(reply).0, "{cut} {size}");
                    assert_eq!(seen.odd(), odd, "{cut} {size}");
                }
            }
        }
    }
}
