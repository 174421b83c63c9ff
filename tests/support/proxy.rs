//! A TCP proxy that cuts connections where a test wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Before the server gets the text.
    Before,
    /// After the server has it, and before the client has the answer.
    After,
}

/// A proxy before a server on loopback.
#[derive(Debug, Clone)]
pub struct Proxy {
    port: u16,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    server: u16,
    /// The text at which connections are cut.
    text: &'static [u8],
    after: AtomicBool,
    /// How many connections are still to be cut.
    left: AtomicU32,
    cut: AtomicU32,
}

impl Proxy {
    /// A proxy on a port of its own. It cuts nothing yet.
    pub async fn start(server: u16, text: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Arc::new(Inner {
            server,
            text: text.as_bytes(),
            after: AtomicBool::new(false),
            left: AtomicU32::new(0),
            cut: AtomicU32::new(0),
        });
        let proxy = Self { port: listener.local_addr().unwrap().port(), inner: inner.clone() };
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(inner.clone().forward(client));
            }
        });
        proxy
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the connection that sends the text next.
    pub fn cut_next(&self, cut: Cut) {
        self.inner.after.store(cut == Cut::After, Ordering::SeqCst);
        self.inner.left.store(1, Ordering::SeqCst);
    }

    /// The number of connections that were cut.
    pub fn cut(&self) -> u32 {
        self.inner.cut.load(Ordering::SeqCst)
    }
}

impl Inner {
    async fn forward(self: Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.server)).await else { return };
        // Small messages that follow each other would wait for acknowledgements of 40 ms.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.into_split(), server.into_split());
        let answers = tokio::spawn(async move {
            let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        });
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
            let sent = &bytes[..length];
            let has_text = sent.windows(self.text.len()).any(|window| window == self.text);
            let takes = |left: u32| left.checked_sub(1);
            if has_text && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, takes).is_ok() {
                self.cut.fetch_add(1, Ordering::SeqCst);
                if self.after.load(Ordering::SeqCst) {
                    // No answer comes back, though the server gets the text.
                    answers.abort();
                    let _ = to_server.write_all(sent).await;
                    let _ = to_server.flush().await;
                }
                break;
            }
            if to_server.write_all(sent).await.is_err() {
                break;
            }
        }
        answers.abort();
    }
}
