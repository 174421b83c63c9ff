//! Replies of old servers, as their senders mean them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower_service::Service;

/// A connector over whose connections a reply of HTTP/1.0 is read as one of 1.1: its head may announce chunks, as scripts behind old
/// servers do, and hyper refuses that. For connections of one request: an old server does not say whether it keeps them open.
#[derive(Debug, Clone)]
pub struct OldHttp<C>(pub(crate) C);

impl<C, S> Service<Uri> for OldHttp<C>
where
    C: Service<Uri, Response = S>,
    C::Future: Send + 'static,
{
    type Response = OldHttpStream<S>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { connecting.await.map(|io| OldHttpStream { io, read: 0 }) })
    }
}

/// What the first line of a reply of HTTP/1.0 begins with, and its last byte in HTTP/1.1.
const OLD: &[u8; 8] = b"HTTP/1.0";
const NEW_END: u8 = b'1';

/// A connection of [`OldHttp`].
#[derive(Debug)]
pub struct OldHttpStream<S> {
    io: S,
    /// The bytes of `OLD` that have come; its length once the first line is another one, or is changed.
    read: usize,
}

impl<S: Read + Unpin> Read for OldHttpStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let left = OLD.get(self.read..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let mut bytes = [0; OLD.len()];
        let wanted = left.len().min(buf.remaining());
        let mut own = ReadBuf::new(&mut bytes[..wanted]);
        match Pin::new(&mut self.io).poll_read(cx, own.unfilled()) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        let length = own.filled().len();
        if left.starts_with(&bytes[..length]) {
            self.read += length;
            if self.read == OLD.len() {
                bytes[length - 1] = NEW_END;
            }
        } else {
            self.read = OLD.len();
        }
        buf.put_slice(&bytes[..length]);
        Poll::Ready(Ok(()))
    }
}

writes_through!(OldHttpStream);

impl<S: Connection> Connection for OldHttpStream<S> {
    fn connected(&self) -> Connected {
        self.io.connected()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

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

    fn through(pieces: &[&[u8]], buffer: usize) -> Vec<u8> {
        let pieces = Pieces(pieces.iter().map(|piece| piece.to_vec()).collect());
        let mut stream = OldHttpStream { io: pieces, read: 0 };
        let mut out = Vec::new();
        loop {
            let mut bytes = vec![0; buffer];
            let mut buf = ReadBuf::new(&mut bytes);
            let read =
                Pin::new(&mut stream).poll_read(&mut Context::from_waker(Waker::noop()), buf.unfilled());
            assert!(matches!(read, Poll::Ready(Ok(()))));
            if buf.filled().is_empty() {
                return out;
            }
            out.extend_from_slice(buf.filled());
        }
    }

    #[test]
    fn the_version_alone_is_changed_however_it_comes() {
        let old: &[u8] = b"HTTP/1.0 200 OK\r\nX: HTTP/1.0\r\n\r\n";
        for cut in 0..12 {
            for buffer in [1, 3, 8, 100] {
                let (a, b) = old.split_at(cut);
                let read = through(&[a, b].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>(), buffer);
                assert_eq!(read, b"HTTP/1.1 200 OK\r\nX: HTTP/1.0\r\n\r\n", "{cut} {buffer}");
            }
        }
        for other in
            [&b"HTTP/1.1 200 OK\r\n"[..], b"HTTP/2 x", b"HTTP/1.", b"nonsense HTTP/1.0", b"", b"HHTTP/1.0"]
        {
            assert_eq!(through(&[other], 100), other);
            assert_eq!(through(&[other], 1), other);
        }
    }
}
