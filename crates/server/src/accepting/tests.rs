//! Clients and balancers on real sockets: who is let in, and as whom.

use super::*;
use tokio::io::AsyncWriteExt as _;

/// An accept loop on loopback, and what it took: the client's address and the first octets after any header.
struct Listening {
    address: SocketAddr,
    taken: mpsc::UnboundedReceiver<(IpAddr, Vec<u8>)>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Listening {
    async fn with(proxies: &str, networks: &str) -> Self {
        let rules = format!(
            "[[listener]]\nprotocol = \"imap\"\nbind = \"127.0.0.1:0\"\nproxies = [{proxies}]\nnetworks = [{networks}]\n"
        );
        let callers =
            crate::config::Config::parse(&rules, "test").unwrap().listener_specs()[0].callers.clone();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let (sender, taken) = mpsc::unbounded_channel();
        let accepting =
            Accepting { socket, callers, door: "imap", tasks: tasks.clone(), shutdown: shutdown.clone() };
        let readers = tasks.clone();
        tasks.spawn(accepting.run(move |mut stream, client| {
            let sender = sender.clone();
            readers.spawn(async move {
                let mut octets = Vec::new();
                stream.read_to_end(&mut octets).await.unwrap();
                sender.send((client.ip(), octets)).unwrap();
            });
            std::future::ready(())
        }));
        Self { address, taken, tasks, shutdown }
    }

    async fn says(&mut self, pieces: &[&[u8]]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.shutdown().await.unwrap();
        stream
    }

    /// Who came with what; `None`: the connection was closed without anybody having been let in.
    async fn comes_of(&mut self, pieces: &[&[u8]]) -> Option<(String, Vec<u8>)> {
        let mut stream = self.says(pieces).await;
        // The end, or a reset where octets lay unread.
        _ = stream.read(&mut [0; 1]).await;
        let (client, octets) = self.taken.try_recv().ok()?;
        Some((client.to_string(), octets))
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// 192.0.2.7 for somebody at 198.51.100.1, with 3 octets to pass over.
const HEADER: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x07\xc6\x33\x64\x01\xc0\x01\0\x19\x04\0\0";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
/// For somebody whom the balancer cannot name.
const UNSPEC: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0";

fn came(client: &str, octets: &[u8]) -> Option<(String, Vec<u8>)> {
    Some((client.to_owned(), octets.to_vec()))
}

#[tokio::test]
async fn a_balancer_is_believed_and_must_say() {
    let mut listening = Listening::with("\"127.0.0.0/8\"", "").await;
    assert_eq!(listening.comes_of(&[HEADER, b"EHLO a\r\n"]).await, came("192.0.2.7", b"EHLO a\r\n"));
    let (head, tail) = HEADER.split_at(9);
    assert_eq!(listening.comes_of(&[head, tail, b"x"]).await, came("192.0.2.7", b"x"), "in pieces");
    assert_eq!(listening.comes_of(&[LOCAL, b"NOOP\r\n"]).await, came("127.0.0.1", b"NOOP\r\n"));
    assert_eq!(listening.comes_of(&[UNSPEC, b"NOOP\r\n"]).await, None, "whoever it is, not the balancer");
    assert_eq!(listening.comes_of(&[b"EHLO without.header.example\r\n"]).await, None);
    assert_eq!(listening.comes_of(&[head]).await, None, "torn");
    listening.end().await;
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let mut listening = Listening::with("\"192.0.2.1/32\"", "").await;
    let all = [HEADER, b"x"].concat();
    assert_eq!(listening.comes_of(&[HEADER, b"x"]).await, came("127.0.0.1", &all), "octets like any other");
    listening.end().await;
}

#[tokio::test]
async fn only_the_named_networks_come_in() {
    let mut listening = Listening::with("", "\"10.0.0.0/8\"").await;
    assert_eq!(listening.comes_of(&[b"x"]).await, None);
    listening.end().await;
    // Behind a balancer it is the client that counts, not where the balancer stands.
    let mut listening = Listening::with("\"127.0.0.0/8\"", "\"192.0.2.0/24\"").await;
    assert_eq!(listening.comes_of(&[HEADER, b"x"]).await, came("192.0.2.7", b"x"));
    let mut other = HEADER.to_vec();
    other[16] = 203;
    assert_eq!(listening.comes_of(&[&other, b"x"]).await, None);
    listening.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_balancer_is_not_waited_for() {
    let mut listening = Listening::with("\"127.0.0.0/8\"", "").await;
    let mut silent = TcpStream::connect(listening.address).await.unwrap();
    let began = tokio::time::Instant::now();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(began.elapsed() <= 2 * HEADER_PATIENCE, "{:?}", began.elapsed());
    // Meanwhile others come, and those that wait do not hold up the end.
    let _waiting = TcpStream::connect(listening.address).await.unwrap();
    assert_eq!(listening.comes_of(&[HEADER, b"x"]).await, came("192.0.2.7", b"x"));
    listening.end().await;
}
