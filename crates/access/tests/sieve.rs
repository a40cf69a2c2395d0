//! ManageSieve conversations over a real engine: each file in `transcripts/sieve`, whole and byte by byte; and what a
//! transcript cannot say: what is in one packet, how long silence lasts.

#[expect(dead_code, reason = "the IMAP transcripts use the rest")]
mod world;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use world::{PASSWORD, Province};

async fn province() -> Province {
    let mut province = Province::new().await;
    province.is_sieve = true;
    province
}

macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/sieve/", stringify!($name), ".txt");
            testkit::transcript::check(file, province).await;
        }
    )*};
}

transcripts!(greeting, starttls, authenticate, bad, scripts, refused, ending, locked);

async fn to_end(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut heard = Vec::new();
    // A TLS client that is cut off reports it; what came before counts.
    _ = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

/// CVE-2011-0411: a command behind STARTTLS, in the same packet and in plain text, is never run.
#[tokio::test]
async fn nothing_is_taken_over_from_before_tls() {
    let province = province().await;
    let mut pipe = province.pipe(province.starttls());
    pipe.write_all(b"STARTTLS\r\nNOOP \"x\"\r\n").await.unwrap();
    let heard = to_end(&mut pipe).await;
    let behind = heard.split_once("ManageSieve\"\r\n").unwrap().1;
    assert!(behind.starts_with("BYE ") && behind.lines().count() == 1, "{heard}");

    // In a later packet it is no TLS handshake, and the connection ends there.
    let mut pipe = province.pipe(province.starttls());
    pipe.write_all(b"STARTTLS\r\n").await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"negotiation now\"\r\n") {
        heard.push(pipe.read_u8().await.unwrap());
    }
    pipe.write_all(b"NOOP \"x\"\r\n").await.unwrap();
    let heard = to_end(&mut pipe).await;
    assert!(!heard.contains("TAG"), "{heard}");
}

/// RFC 5804 1.2: short before the log-in, half an hour behind it.
#[tokio::test]
async fn silence_ends_a_connection() {
    let province = province().await;
    for (user, patience) in [(None, 60), (Some("an"), 30 * 60)] {
        let mut stream = province.encrypt(Box::new(province.pipe(province.implicit()))).await.unwrap();
        let mut heard = Vec::new();
        if let Some(user) = user {
            let message = format!("\0{user}@demo.gov.vn\0{PASSWORD}");
            let login = format!("AUTHENTICATE \"PLAIN\" \"{}\"\r\n", proto::sasl::encode(message.as_bytes()));
            stream.write_all(login.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            while !heard.ends_with(b"\"Logged in\"\r\n") {
                heard.push(stream.read_u8().await.unwrap());
            }
        } else {
            while !heard.ends_with(b"ManageSieve\"\r\n") {
                heard.push(stream.read_u8().await.unwrap());
            }
        }
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        let bye = to_end(&mut stream).await;
        let silent = began.elapsed().as_secs();
        tokio::time::resume();
        assert!(bye.starts_with("BYE \"Autologout"), "{bye}");
        assert!((patience - 5..=patience + 5).contains(&silent), "{silent} s");
    }
}
